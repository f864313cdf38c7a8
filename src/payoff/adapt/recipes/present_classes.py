"""Heads where some classes have no training row yet."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.linear import LinearHead
from payoff.core.errors import AdaptError

Fit = Callable[[NDArray[Any], NDArray[np.int64], int], LinearHead]
"""From vectors ``(n, width)``, classes ``(n,)`` that all occur, and how many, to a head."""


def fit_present(
    vectors: NDArray[Any], targets: NDArray[np.int64], *, n_labels: int, fit: Fit
) -> LinearHead:
    """Fit a head on the classes that occur; the others get the same low logit for every text.

    That logit is 1 below the lowest that any class has on any of the rows.

    Args:
        vectors: ``(n, width)``.
        targets: Classes as indices below ``n_labels``, ``(n,)``.
        n_labels: How many classes the head shall have.
        fit: Fits the classes that occur.

    Raises:
        AdaptError: PF405 where fewer than two classes occur.

    Example:
        >>> def nearest(vectors, targets, n):
        ...     means = [vectors[targets == c].mean(axis=0) for c in range(n)]
        ...     return LinearHead(np.array(means), np.zeros(n))
        >>> head = fit_present(np.eye(2), np.array([0, 2]), n_labels=3, fit=nearest)
        >>> head.weight.tolist(), head.bias.tolist()
        ([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], [0.0, -1.0, 0.0])
    """
    present, own = np.unique(targets, return_inverse=True)
    if len(present) < 2:
        raise AdaptError(
            "PF405",
            "training rows",
            f"{len(present)} of {n_labels} labels {'occurs' if len(present) == 1 else 'occur'}",
            expected="rows of at least two labels",
            mend="Add rows of the other labels, or use a recipe that needs none: zero-shot.",
        )
    with warnings.catch_warnings():
        # With a row or two a class scikit-learn asks whether this is a regression.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        head = fit(vectors, own.astype(np.int64), len(present))
    if len(present) == n_labels:
        return head
    lowest = head(np.asarray(vectors)).min() - 1.0
    weight = np.zeros((n_labels, head.weight.shape[1]), np.float32)
    bias = np.full(n_labels, lowest, np.float32)
    weight[present], bias[present] = head.weight, head.bias
    return LinearHead(weight, bias)
