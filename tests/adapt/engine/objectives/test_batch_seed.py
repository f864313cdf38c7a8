from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from payoff.adapt.engine.objectives.batch_seed import batch_seed

MakeStep = Callable[..., Any]


def test_it_follows_from_the_texts_in_their_order_and_the_seed(step: MakeStep) -> None:
    batch = step().batch
    other = replace(batch, rows=batch.rows[::-1].copy())
    seeds = [-1, 0, 1, 2**63]
    numbers = [batch_seed(b, seed) for b in (batch, other) for seed in seeds]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 2**63 for number in numbers)
    again = replace(batch, rows=np.array(batch.rows))
    assert [batch_seed(again, seed) for seed in seeds] == numbers[: len(seeds)]
