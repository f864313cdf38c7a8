"""Inputs that others stand in for go first, and what they did is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.adapt.compress import compensated as compensating
from payoff.adapt.compress.activations import Moment
from payoff.adapt.compress.thinned import Thinned, thinned


def moment_of(rows: np.ndarray) -> Moment:
    return Moment(rows.mean(0), rows.T @ rows / len(rows))


def inputs(n: int, seed: int) -> np.ndarray:
    """Rows of ``n`` inputs that hang together, with means of their own."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(400, n)) @ rng.normal(size=(n, n)) + rng.normal(size=n)


def error(rows: np.ndarray, matrix: np.ndarray, found: Thinned) -> float:
    outputs = rows[:, found.kept] @ found.matrix + found.added
    return float(((rows @ matrix - outputs) ** 2).mean())


@pytest.fixture(autouse=True)
def no_damping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensating, "DAMPING", 1e-9)


@pytest.mark.parametrize("is_bias", [True, False])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([1, 2, 3]))
def test_those_that_stay_do_as_well_as_they_can(is_bias: bool, seed: int, size: int) -> None:
    """Least squares on the same rows finds nothing better."""
    rows = inputs(12, seed)
    matrix = np.random.default_rng(seed + 1).normal(size=(12, 5)).astype(np.float32)
    found = thinned(matrix, moment_of(rows), 2, size=size, is_bias=is_bias)
    assert found.matrix.shape == (2 * size, 5)
    assert (np.diff(found.kept) > 0).all()
    assert (found.kept.reshape(2, size) // size == found.kept[::size, None] // size).all()
    if not is_bias:
        assert (found.added == 0).all()
    left = rows[:, found.kept]
    ones = np.ones((len(rows), int(is_bias)))
    best, *_ = np.linalg.lstsq(np.hstack([left, ones]), rows @ matrix, rcond=None)
    least = ((rows @ matrix - np.hstack([left, ones]) @ best) ** 2).mean()
    assert error(rows, matrix, found) == pytest.approx(least, rel=1e-3, abs=1e-6)


def test_the_first_to_go_is_the_cheapest_of_all() -> None:
    rows = inputs(8, 3)
    matrix = np.random.default_rng(4).normal(size=(8, 5)).astype(np.float32)
    seen = moment_of(rows)
    found = thinned(matrix, seen, 7)
    gone = next(iter(set(range(8)) - set(found.kept.tolist())))

    def without(place: int) -> float:
        left = np.delete(rows, place, axis=1)
        whole = np.hstack([left, np.ones((len(rows), 1))])
        best, *_ = np.linalg.lstsq(whole, rows @ matrix, rcond=None)
        return float(((rows @ matrix - whole @ best) ** 2).mean())

    assert gone == min(range(8), key=without)


def test_nothing_goes_where_all_stay() -> None:
    rows, matrix = inputs(4, 0), np.eye(4, dtype=np.float32)
    found = thinned(matrix, moment_of(rows), 4)
    np.testing.assert_array_equal(found.matrix, matrix)
    np.testing.assert_allclose(found.added, 0, atol=1e-12)
