"""Row kinds: what is weighed is little, and what comes of it is every row value weighed."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.economics.row_kinds import RowKinds


def weighed(kinds: RowKinds, weights: Any) -> Any:
    return kinds.rows @ weights


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    worths=st.lists(st.tuples(*[st.sampled_from([-7.0, 0.0, 0.5, 3.0])] * 4), min_size=1),
)
@settings(max_examples=80, deadline=None)
def test_row_values_are_weighed_as_if_one_by_one(
    seed: int, n: int, worths: list[tuple[float, ...]]
) -> None:
    rng = np.random.default_rng(seed)
    plans = [np.array(worths)[rng.integers(0, len(worths), n)].T for _ in range(3)]
    plans.append(rng.normal(size=(4, n)))
    weights = rng.exponential(size=(n, 6))
    weights /= weights.sum(axis=0)
    kinds = RowKinds.of(plans)
    for place, values in enumerate(plans):
        told = kinds.means(place, weighed(kinds, weights))
        np.testing.assert_allclose(told, values @ weights, atol=1e-12)
    some = kinds.take([3, 1])
    for place, plan in enumerate((3, 1)):
        told = some.means(place, weighed(some, weights))
        np.testing.assert_allclose(told, plans[plan] @ weights, atol=1e-12)
    assert len(kinds.rows) <= 4 * len(plans)


def test_three_kinds_of_rows_are_two_rows_and_one_kind_is_none() -> None:
    right, wrong, handed = (3.0, 0.0, 0.0, 0.0), (0.0, -7.0, 0.0, 0.0), (0.0, 0.0, -2.0, 1.0)
    usual = np.array([right, right, wrong, handed, right]).T
    dearer = np.array([right, right, (0.0, -9.0, 0.0, 0.0), handed, right]).T
    sure = np.array([handed] * 5).T
    kinds = RowKinds.of([usual, dearer, sure])
    assert kinds.rows.tolist() == [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]] or kinds.rows.tolist() == [
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
    ], "both plans err on the same rows, and all of one kind weigh 1"
    assert kinds.places[2] == ()
    assert kinds.take([2]).rows.shape == (0, 5)
    np.testing.assert_array_equal(kinds.means(2, np.zeros((2, 3)))[2:, 0], [-2.0, 1.0])


def test_more_kinds_than_values_are_weighed_as_values() -> None:
    values = np.zeros((4, 30))
    values[0] = np.arange(30)
    values[3, :5] = 1.0
    kinds = RowKinds.of([values])
    np.testing.assert_array_equal(kinds.rows, values[[0, 3]])
