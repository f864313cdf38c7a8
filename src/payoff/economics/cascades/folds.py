"""Folds: parts of the held-out requests, each answered by what was learnt from the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
"""Parts of the cross-fitting."""


def folds(n: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of each fold; labels play no part, so that their names do not matter.

    Example:
        >>> [len(inside) for inside in folds(12, 0)]
        [3, 3, 2, 2, 2]
    """
    shuffled = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(shuffled, min(FOLDS, n))]
