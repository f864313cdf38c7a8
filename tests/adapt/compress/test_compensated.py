"""Rounding that looks at its inputs errs less on what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.adapt.compress.compensated import compensated, damped


def plain(matrix: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same without lots: every error reaches all that follow at once, by its own formula."""
    left, inverse = matrix.astype(np.float64), np.linalg.inv(damped(second))
    for place in range(len(left)):
        wanted = left[place].copy()
        left[place] = wanted.round()
        step = (wanted - left[place]) / inverse[place, place]
        left[place + 1 :] -= np.outer(inverse[place + 1 :, place], step)
        # The inverse without this input (Hassibi and Stork 1993, equation 9, as block elimination).
        inverse -= np.outer(inverse[:, place], inverse[place]) / inverse[place, place]
    return left


def problem(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(500, n)) @ rng.normal(size=(n, n))
    matrix = (rng.normal(size=(n, 6)) * 2).astype(np.float32)
    return rows, rows.T @ rows / len(rows), matrix


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_it_errs_less_than_rounding_alone(seed: int) -> None:
    rows, second, matrix = problem(seed, 70)
    found = compensated(matrix, second, lambda _, row: row.round())
    np.testing.assert_array_equal(found, found.round())
    alone, together = (
        ((rows @ (matrix - rounded)) ** 2).mean() for rounded in (matrix.round(), found)
    )
    assert together < 0.7 * alone


@pytest.mark.parametrize("n", [3, 32, 70])
def test_lots_change_nothing(n: int) -> None:
    _, second, matrix = problem(1, n)
    found = compensated(matrix, second, lambda _, row: row.round())
    np.testing.assert_array_equal(found, plain(matrix, second))


def test_what_needs_no_rounding_stays() -> None:
    _, second, matrix = problem(2, 10)
    np.testing.assert_array_equal(compensated(matrix, second, lambda _, row: row), matrix)


def test_inputs_that_were_never_seen_are_rounded_alone() -> None:
    matrix = np.array([[0.4, 1.6], [2.3, -0.2]], np.float32)
    found = compensated(matrix, np.zeros((2, 2)), lambda _, row: row.round())
    np.testing.assert_array_equal(found, matrix.round())
