"""A matrix game: how much an action can be ahead of all others, whatever the probabilities."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SMALL: Final = 1e-11
_STEEPEST_A_CELL: Final = 4
"""Steps a row and column by the steepest column, after which the rule that never cycles holds."""


def game_value(gains: Array) -> float:
    """The most that ``min_a Σ_i p_i · gains[i, a]`` can be over all probabilities ``p``.

    It is the value of a matrix game (von Neumann 1928), found by the simplex method on the linear
    programme of the player who picks columns (Dantzig 1951, "A proof of the equivalence of the
    programming problem and the game problem"); where the steepest column does not end it, Bland's
    rule does (Bland 1977, Mathematics of Operations Research 2(2)).

    Args:
        gains: Finite amounts, shape ``(k, m)``, both at least 1.

    Example:
        >>> round(game_value(np.array([[1.0, -1.0], [-1.0, 1.0]])), 9)  # matching pennies
        0.0
        >>> round(game_value(np.array([[3.0, 2.0], [0.0, 1.0]])), 9)
        2.0
    """
    k, m = gains.shape
    spread = float(np.ptp(gains)) or 1.0
    shift = float(gains.min()) - spread
    positive = (gains - shift) / spread  # 1 to 2
    tableau = np.zeros((k + 1, m + k + 1))
    tableau[:k, :m], tableau[:k, m:-1], tableau[:k, -1] = positive, np.eye(k), 1.0
    tableau[k, :m] = -1.0
    basis = np.arange(m, m + k)
    steepest = _STEEPEST_A_CELL * (k + m)
    while (tableau[k, :-1] < -_SMALL).any():
        falls = tableau[k, :-1]
        column = int(falls.argmin() if steepest > 0 else np.flatnonzero(falls < -_SMALL)[0])
        _pivot(tableau, basis, column)
        steepest -= 1
    return spread / float(tableau[k, -1]) + shift


def _pivot(tableau: Array, basis: NDArray[np.int64], column: int) -> None:
    """Bring a column into the basis, in place of the row that limits it most."""
    entries = tableau[:-1, column]
    open_rows = np.flatnonzero(entries > _SMALL)
    ratios = tableau[open_rows, -1] / entries[open_rows]
    least = open_rows[ratios <= ratios.min() + _SMALL]
    row = int(least[basis[least].argmin()])
    tableau[row] /= tableau[row, column]
    others = np.arange(len(tableau)) != row
    tableau[others] -= np.outer(tableau[others, column], tableau[row])
    basis[row] = column
