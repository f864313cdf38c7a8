from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.learn.experiments.bandit import FLOOR, allocation, regret_of
from payoff.learn.experiments.confidence_sequence import Interval


@given(st.floats(-10, 10), st.floats(0.01, 10))
def test_the_share_is_how_often_a_draw_of_the_gain_is_above_nought(gain: float, e: float) -> None:
    share = allocation(gain, e)
    likely = 0.5 * math.erfc(-gain / e / math.sqrt(2))
    assert abs(share - min(1 - FLOOR, max(FLOOR, likely))) <= 0.025 + 1e-9
    assert share + allocation(-gain, e) == pytest.approx(1.0)


def test_without_knowledge_or_without_doubt() -> None:
    assert allocation(3.0, math.inf) == 0.5
    assert [allocation(g, 0.0) for g in (-1.0, 0.0, 1.0)] == [FLOOR, 0.5, 1 - FLOOR]


def test_regret_restated() -> None:
    for gain in (Interval(-0.5, -1.0, -0.2), Interval(0.5, 0.2, 1.0), Interval(0.1, -0.3, 0.4)):
        regret = regret_of(gain, 300, 700)

        def lost(g: float) -> float:
            return g * 300 if g > 0 else -g * 700

        grid = [lost(g) for g in np.linspace(gain.low, gain.high, 1001)]
        assert regret.high == pytest.approx(max(grid))
        assert regret.low == pytest.approx(min(grid), abs=0.5)
        assert regret.estimate == pytest.approx(lost(gain.estimate))
    assert regret_of(Interval(0.0, -28, 28), 0, 0) == Interval(0.0, 0.0, 0.0)
