"""The value of a matrix game, against linear programming by another hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from payoff.economics.matrix_game import game_value


def by_linear_programme(gains: np.ndarray) -> float:
    k, m = gains.shape
    solved = linprog(
        np.r_[np.zeros(k), -1.0],
        A_ub=np.c_[-gains.T, np.ones(m)],
        b_ub=np.zeros(m),
        A_eq=[np.r_[np.ones(k), 0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * k + [(None, None)],
    )
    return float(-solved.fun)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6), st.booleans())
@settings(deadline=None, max_examples=60)
def test_it_is_that_of_the_linear_programme(k: int, m: int, seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    gains = rng.normal(size=(k, m)) * 10
    gains = np.round(gains / 5) if whole else gains  # whole numbers make ties
    assert game_value(gains) == pytest.approx(by_linear_programme(gains), abs=1e-7)


def test_many_labels_with_ties_end() -> None:
    gains = np.where(np.eye(80), 3.0, -7.0)
    assert game_value(gains) == pytest.approx((3 - 79 * 7) / 80)
    assert game_value(np.zeros((40, 40))) == pytest.approx(0.0)
