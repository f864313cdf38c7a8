"""Ranks, and how far two rankings agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def average_ranks(values: npt.ArrayLike) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs: ``(n,)``.

    Example:
        >>> average_ranks([3.0, 1.0, 3.0]).tolist()
        [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float | None:
    """Rank correlation (Spearman 1904), ties averaged; None where one side is constant.

    Args:
        first: ``(n,)``.
        second: ``(n,)``.

    Example:
        >>> spearman([1, 2, 3], [10, 30, 20])
        0.5
        >>> spearman([1, 1], [1, 2]) is None
        True
    """
    a, b = average_ranks(first), average_ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return round(float((a * b).sum()) / spread, 12) if spread > 0 else None
