"""Which texts to label first."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.economics.labels.text_worth import choose_texts, value_of_truth
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

POLICY = Policy.from_payoff(Payoff(3, -7, -2, currency="USD"), ("a", "b", "c"))


def test_value_of_truth_by_hand() -> None:
    """At 90 % acting is worth 3·0.9 − 7·0.1 = 2, knowing 3; at a third each, −2."""
    table = np.array([[0.9, 0.1, 0.0], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]])
    assert value_of_truth(POLICY, table) == pytest.approx([1.0, 5.0, 0.0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 1.0), min_size=3, max_size=3), st.floats(0.1, 100.0))
def test_truth_never_harms_and_is_in_the_payoffs_money(raw: list[float], rate: float) -> None:
    table = np.array([raw]) / sum(raw)
    here = value_of_truth(POLICY, table)
    there = value_of_truth(Policy(POLICY.labels, rate * POLICY.values), table)
    assert (here >= 0).all()
    assert there == pytest.approx(rate * here, abs=1e-9 * rate)


def kernel(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.clip((unit @ unit.T - 0.5) / 0.5, 0, 1)


def test_duplicates_and_outliers_do_not_win() -> None:
    """Ten alike, one alone of a higher value, and one without value."""
    vectors = np.vstack([np.tile([1.0, 0.0, 0.0], (10, 1)), [[0, 1.0, 0]], [[0, 0, 1.0]]])
    values = np.array([1.0] * 10 + [3.0, 0.0])
    chosen = choose_texts(values, vectors, 12)
    assert chosen.rows[0] < 10, "one that stands for ten goes before a dearer one that stands alone"
    assert chosen.rows[1] == 10
    assert chosen.reach[:2] == pytest.approx([10 / 12, 3 / 12])
    assert chosen.reach[2:] == pytest.approx(np.zeros(10), abs=1e-6)
    assert sorted(chosen.rows.tolist()) == list(range(12))
    assert chosen.mean_reach == pytest.approx((10 * 10 + 3) / 12 / 12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_greedy_is_near_the_best_set(seed: int) -> None:
    """Against all sets of three out of nine; at least 1 − 1/e of the best."""
    rng = np.random.default_rng(seed)
    vectors, values = rng.normal(size=(9, 2)), rng.uniform(0, 5, 9)
    near = kernel(vectors)

    def worth(rows: tuple[int, ...]) -> float:
        return float((near[list(rows)].max(axis=0) * values).mean())

    chosen = choose_texts(values, vectors, 3)
    best = max(worth(rows) for rows in combinations(range(9), 3))
    mine = worth(tuple(chosen.rows.tolist()))
    assert mine >= (1 - 1 / np.e) * best - 1e-6
    assert chosen.reach.sum() == pytest.approx(mine, rel=1e-4)
    assert (np.diff(chosen.reach) <= 1e-6).all()


def test_many_texts_are_stood_for_by_a_sample() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4500, 8))
    chosen = choose_texts(rng.uniform(0, 1, 4500), vectors, 5, seed=1)
    again = choose_texts(np.random.default_rng(0).uniform(0, 1, 4500), vectors, 5, seed=1)
    assert len(set(chosen.rows.tolist())) == len(again.rows) == 5


@pytest.mark.parametrize(
    ("values", "vectors", "count"),
    [
        (np.ones(2), np.ones((3, 2)), 1),
        (np.array([-1.0, 1.0]), np.ones((2, 2)), 1),
        (np.array([np.nan, 1.0]), np.ones((2, 2)), 1),
        (np.ones(2), np.ones((2, 2)), 0),
        (np.ones(0), np.ones((0, 2)), 1),
    ],
)
def test_what_does_not_fit_is_coded(values: np.ndarray, vectors: np.ndarray, count: int) -> None:
    with pytest.raises(EconomicsError) as told:
        choose_texts(values, vectors, count)
    assert told.value.code == "PF624"
