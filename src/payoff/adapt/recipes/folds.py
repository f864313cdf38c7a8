"""Folds of training rows for choosing settings where there are few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def folds(targets: NDArray[np.int64], n_folds: int, *, seed: int) -> NDArray[np.int64]:
    """A fold for each row, every class spread as evenly as it can be.

    A class of two rows or more is in the rest of every fold, so that a model that is fitted on
    the rest knows each class that it is judged on. A class's only row is in no fold.

    Args:
        targets: Class of each row, ``(n,)``.
        n_folds: How many folds, 2 or more.
        seed: Which rows go together.

    Returns:
        Fold of each row, ``(n,)``; -1 for a row that is in none.

    Example:
        >>> folds(np.array([0, 1, 0, 2, 1, 1]), 2, seed=0).tolist()
        [0, 1, 1, -1, 0, 0]
    """
    rng = np.random.default_rng(seed)
    found = np.full(len(targets), -1, np.int64)
    start = 0  # the next class goes on where the last one ended, so that folds are of one size
    for label in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == label))
        if len(rows) > 1:
            found[rows] = (start + np.arange(len(rows))) % n_folds
            start += len(rows)
    return found
