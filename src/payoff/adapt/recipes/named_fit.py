"""Heads on vectors that learn the labels' names as examples too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.linear import LinearHead, fit_logistic, log_loss
from payoff.adapt.recipes.zero_shot import label_vectors
from payoff.adapt.workbench import Workbench

_FEW = 5  # rows a class: beyond, a training is no better for having started with the names
_FOLDS = 3

Fit = Callable[[NDArray[Any], NDArray[Any]], LinearHead]
"""From vectors ``(n, width)`` and what they should give, as the task says, to a head."""

N_FITS = 2 * _FOLDS
"""Regressions that say whether the names help."""


def usual_fit(bench: Workbench, backbone: str, *, strength: float) -> Fit:
    """How heads are fitted on a backbone's vectors: as the task says, names with few rows.

    Args:
        bench: With the training rows.
        backbone: Which of its encoders.
        strength: Inverse of the penalty, scikit-learn's ``C``.
    """
    if names_count(bench):
        return named_fit(bench, backbone, strength=strength)

    def fit(vectors: NDArray[Any], targets: NDArray[Any]) -> LinearHead:
        return bench.task.head(vectors, targets, n_outputs=len(bench.labels), strength=strength)

    return fit


def usual_names(
    bench: Workbench, backbone: str, *, strength: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The names that `usual_fit` learns, as rows ``(n, width)`` with their classes ``(n,)``.

    None where it learns none. For recipes that fit heads of their own.

    Args:
        bench: As of `usual_fit`.
        backbone: As of `usual_fit`.
        strength: As of `usual_fit`.
    """
    if names_count(bench):
        named, helpful = _weighed_names(bench, backbone, strength=strength, names=1.0)
        if helpful:
            return named, np.arange(len(named))
    width = bench.opened(backbone).trunk.pooled().shape[1]
    return np.zeros((0, width), np.float32), np.zeros(0, np.int64)


def names_count(bench: Workbench) -> bool:
    """Whether `usual_fit` looks at the labels' names: classes, of a few rows each."""
    return bench.task.name == "classes" and len(bench.train) <= _FEW * len(bench.labels)


def named_fit(bench: Workbench, backbone: str, *, strength: float, names: float = 1.0) -> Fit:
    """How heads are fitted on a backbone's vectors: with the labels' names where those help.

    Whether they do is told by folds of the training rows' frozen vectors, once, so that the heads
    of tuned layers and of parts of the rows all learn the same.

    Args:
        bench: With the training rows, one class each, and the labels' names.
        backbone: Which of its encoders.
        strength: As of `fit_named`.
        names: As of `fit_named`.
    """
    named, helpful = _weighed_names(bench, backbone, strength=strength, names=names)

    def fit(vectors: NDArray[Any], targets: NDArray[np.int64]) -> LinearHead:
        return fit_named(vectors, targets, named, strength=strength, names=helpful)

    return fit


def _weighed_names(
    bench: Workbench, backbone: str, *, strength: float, names: float
) -> tuple[NDArray[np.float32], float]:
    """What labels mean, and `helpful_names` of all training rows."""
    named = label_vectors(bench, backbone)
    frozen = bench.opened(backbone).trunk.pooled()[bench.train]
    helpful = helpful_names(
        frozen, bench.train_targets, named, strength=strength, names=names, seed=bench.seed
    )
    return named, helpful


def fit_named(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    named: NDArray[Any],
    *,
    strength: float,
    names: float,
) -> LinearHead:
    """Logistic regression on rows and names.

    Args:
        vectors: Normalised, ``(n, width)``.
        targets: Classes as indices below ``n_labels``, ``(n,)``; some may not occur.
        named: What each label means, normalised, ``(n_labels, width)``.
        strength: Inverse of the penalty, scikit-learn's ``C``.
        names: How many rows a name counts as; with 0 names take no part.

    Raises:
        AdaptError: PF405 where names take no part and fewer than two classes occur.

    Example:
        >>> head = fit_named(np.eye(3)[:1], np.array([0]), np.eye(3), strength=10.0, names=1.0)
        >>> head(np.eye(3)).argmax(axis=1).tolist()
        [0, 1, 2]
    """
    n_labels = len(named)
    if names == 0:
        return fit_logistic(vectors, targets, n_labels=n_labels, strength=strength)
    return fit_logistic(
        np.concatenate([vectors, named]),
        np.concatenate([targets, np.arange(n_labels)]),
        n_labels=n_labels,
        strength=strength,
        weights=np.concatenate([np.ones(len(vectors)), np.full(n_labels, names)]),
    )


def helpful_names(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    named: NDArray[Any],
    *,
    strength: float,
    names: float,
    seed: int,
) -> float:
    """``names`` where rows that were left out are better told with them, else 0.

    Args:
        vectors: Normalised, ``(n, width)``.
        targets: Classes, ``(n,)``.
        named: What each label means, ``(n_labels, width)``.
        strength: As of `fit_named`.
        names: As of `fit_named`.
        seed: Which rows make a fold.

    Returns:
        One of the two; ``names`` where no class has two rows, or a class has none.
    """
    fold = folds(targets, _FOLDS, seed=seed)
    every_class = len(np.unique(targets)) == len(named)
    if names == 0 or not every_class or not (fold >= 0).any():
        return names
    losses = {names: 0.0, 0.0: 0.0}
    for number in np.unique(fold[fold >= 0]):
        out = fold == number
        for weight in losses:
            head = fit_named(vectors[~out], targets[~out], named, strength=strength, names=weight)
            losses[weight] += log_loss(head(vectors[out]).astype(np.float64), targets[out])
    return min(losses, key=lambda weight: losses[weight])
