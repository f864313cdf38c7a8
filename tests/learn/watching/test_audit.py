from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learn.watching.requests_of import requests_of

from payoff.learn.watching.audit import audit_sample, inclusions


@given(st.integers(0, 10**6), st.integers(0, 150))
def test_chances_add_up_and_leave_out_what_is_worth_the_same(seed: int, n_labels: int) -> None:
    window = requests_of(100, seed)
    chances = inclusions(window, n_labels)
    at_stake = window.actions < 4
    assert chances.sum() == pytest.approx(min(n_labels, at_stake.sum()))
    assert ((chances >= 0) & (chances <= 1 + 1e-12)).all()
    assert not chances[~at_stake].any()
    if 0 < n_labels < at_stake.sum():
        assert (chances[at_stake] > 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 10**6))
def test_as_many_as_the_chances_add_up_to(chances: list[float], seed: int) -> None:
    taken = audit_sample(np.array(chances), seed=seed)
    assert abs(len(taken) - sum(chances)) < 1 + 1e-9
    assert sorted(set(taken.tolist())) == taken.tolist()


def test_each_is_taken_as_often_as_its_chance_says() -> None:
    chances = np.array([1.0, 0.5, 0.25, 0.25, 0.0, 0.7, 0.3])
    counts = np.zeros(7)
    for seed in range(4000):
        counts[audit_sample(chances, seed=seed)] += 1
    assert counts / 4000 == pytest.approx(chances, abs=0.03)
