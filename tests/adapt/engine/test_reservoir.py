from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.engine.reservoir import Reservoir


@given(
    labels=st.lists(st.integers(0, 4), max_size=60),
    capacity=st.integers(0, 12),
    seed=st.integers(0, 3),
)
def test_it_is_full_and_no_fuller_and_rare_classes_are_whole(
    labels: list[int], capacity: int, seed: int
) -> None:
    reservoir = Reservoir(capacity, seed=seed)
    for item, label in enumerate(labels):
        reservoir.add(item, label)
    kept = reservoir.kept()
    assert len(kept) == min(capacity, len(labels))
    assert len(set(kept.tolist())) == len(kept)
    assert set(kept.tolist()) <= set(range(len(labels)))


@given(order=st.permutations([0] * 30 + [1] * 20 + [2] * 3))
def test_large_classes_share_what_small_ones_leave(order: list[int]) -> None:
    reservoir = Reservoir(13)
    for item, label in enumerate(order):
        reservoir.add(item, label)
    counts = np.bincount([order[item] for item in reservoir.kept()], minlength=3)
    assert counts.sum() == 13
    assert counts[2] == 3, "a class that was never the largest loses nothing"
    assert counts[:2].min() >= 4


def test_each_item_of_a_class_is_as_likely_as_another() -> None:
    n = np.zeros(40)
    for seed in range(1500):
        reservoir = Reservoir(10, seed=seed)
        for item in range(40):
            reservoir.add(item, 0)
        n[reservoir.kept()] += 1
    np.testing.assert_allclose(n / 1500, 0.25, atol=0.05)  # 4.5 standard errors


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides(seed: int) -> None:
    kept = []
    for s in (seed, seed, seed + 1):
        reservoir = Reservoir(8, seed=s)
        for item in range(200):
            reservoir.add(item, item % 3)
        kept.append(reservoir.kept().tolist())
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]
