from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.learn.watching.profile import Profile

CELLS = ("a", "b", "c")
codes = st.lists(st.integers(0, 2), min_size=1, max_size=60)


@given(codes, codes)
def test_explains_by_shares_times_worth(before: list[int], now: list[int]) -> None:
    worth = np.array([3.0, -1.0, 0.5])[before]
    profile = Profile.of("feature", CELLS, np.array(before), worth)
    overall = worth.mean()
    expected = 0.0
    for cell in range(3):
        mean = [3.0, -1.0, 0.5][cell] if cell in before else overall
        expected += (now.count(cell) / len(now) - before.count(cell) / len(before)) * mean
    assert profile.explained(np.array(now)) == pytest.approx(expected)
    moved = profile.moved(np.array(now))
    assert 0 <= moved <= 1 + 1e-12
    assert (moved < 1e-12) == (
        all(now.count(c) * len(before) == before.count(c) * len(now) for c in range(3))
    )


@given(codes)
def test_the_same_requests_are_no_surprise(before: list[int]) -> None:
    profile = Profile.of("feature", CELLS, np.array(before), np.ones(len(before)))
    assert profile.surprise(np.array(before)) == 0.0
    assert profile.explained(np.array(before)) == pytest.approx(0.0, abs=1e-12)


def test_surprise_is_rare_by_chance_and_sure_after_a_change() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.5, 0.3, 0.2])
    profile = Profile.of("feature", CELLS, rng.choice(3, 1000, p=shares), np.ones(1000))
    chance = [profile.surprise(rng.choice(3, 2000, p=shares)) for _ in range(400)]
    assert np.mean(np.array(chance) > 3.5) < 0.01
    changed = rng.choice(3, 2000, p=[0.3, 0.3, 0.4])
    assert profile.surprise(changed) > 6
    assert profile.most_grown(changed) == "c"


def test_plain_values_and_back() -> None:
    profile = Profile.of("feature", CELLS, np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]))
    again = Profile.from_dict(profile.to_dict())
    assert again.to_dict() == profile.to_dict()
    assert again.worths.tolist() == [1.0, 2.5, 2.0]
