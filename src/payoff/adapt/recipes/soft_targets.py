"""Logistic regression on target distributions, where a text may be of several classes in part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.linear import LinearHead
from payoff.core.extras import require


def fit_soft(
    vectors: NDArray[np.float32],
    shares: NDArray[Any],
    *,
    strength: float,
    weights: NDArray[Any] | None = None,
) -> LinearHead:
    """Multinomial logistic regression with an L2 penalty, by L-BFGS.

    Minimised is ``strength · Σ weights · cross-entropy + |weight matrix|² / 2``. With all shares 0
    or 1 and no weights, that is what `fit_logistic` minimises for three classes or more; for two,
    its single row of weights is penalised otherwise.

    Args:
        vectors: ``(n, width)``.
        shares: How much of each class each text is, ``(n, n_labels)``; rows sum to 1.
        strength: Inverse of the penalty, scikit-learn's ``C``.
        weights: How much each text counts, ``(n,)``; 1 where not given.

    Example:
        >>> head = fit_soft(np.eye(2, dtype=np.float32), np.array([[0.9, 0.1], [0.1, 0.9]]),
        ...                 strength=1e6)
        >>> odds = np.exp(head(np.eye(2, dtype=np.float32)).astype(np.float64))
        >>> (odds / odds.sum(axis=1, keepdims=True)).round(2).tolist()
        [[0.9, 0.1], [0.1, 0.9]]
    """
    optimise = require("scipy.optimize", "tune", "training a head")
    n_labels, width = shares.shape[1], vectors.shape[1]
    counts = np.ones(len(vectors)) if weights is None else np.asarray(weights, np.float64)
    counts = counts / counts.sum()
    total = float(len(vectors) if weights is None else np.sum(weights))
    penalty = 1.0 / (strength * total)
    wanted = np.asarray(shares, np.float64)

    def loss_and_slope(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix, bias = flat[:-n_labels].reshape(n_labels, width), flat[-n_labels:]
        scores = (vectors @ matrix.T.astype(vectors.dtype)).astype(np.float64) + bias
        scores -= scores.max(axis=1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = -float(counts @ (wanted * scores).sum(axis=1))
        change = (np.exp(scores) - wanted) * counts[:, None]
        slope = change.T.astype(vectors.dtype) @ vectors + penalty * matrix
        loss += penalty / 2 * float((matrix**2).sum())
        return loss, np.concatenate([slope.ravel(), change.sum(axis=0)])

    found = optimise.minimize(
        loss_and_slope,
        np.zeros(n_labels * (width + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "gtol": 1e-5, "ftol": 1e-9},
    ).x
    weight = found[:-n_labels].reshape(n_labels, width)
    return LinearHead(weight.astype(np.float32), found[-n_labels:].astype(np.float32))


def one_hot(targets: NDArray[np.int64], n_labels: int) -> NDArray[np.float64]:
    """Classes as shares, ``(n,)`` to ``(n, n_labels)``.

    Example:
        >>> one_hot(np.array([1, 0]), 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    return np.asarray(np.eye(n_labels)[targets])
