"""A logistic regression on frozen vectors that learns the labels' names as examples too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.frozen_head import fit_seconds as logistic_seconds
from payoff.adapt.recipes.linear import LinearHead, fit_logistic, log_loss
from payoff.adapt.recipes.present_classes import fit_present
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.zero_shot import label_seconds, label_vectors
from payoff.adapt.workbench import Workbench

_FEW = 50  # rows a class: beyond, a name is one example among many
_FOLDS = 3


class NamedHead(ClosedForm):
    """The vector of a label's name (`zero_shot.label_vectors`) is one more row of that label.

    With one row a label that is as good as a second one, and no label is without any. Where folds
    of the training rows say that the names mislead, as ``class_7`` may, they are left out.
    """

    name = "named-head"
    defaults = (("C", 10.0), ("names", 1.0))

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Where labels are few."""
        return self.standard(bench) if len(bench.train) <= _FEW * len(bench.labels) else []

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """On frozen vectors."""
        vectors = bench.opened(candidate.backbone).trunk.pooled()[bench.train]
        targets, named = bench.train_targets, label_vectors(bench, candidate.backbone)
        strength = candidate["C"]
        names = helpful_names(
            vectors, targets, named, strength=strength, names=candidate["names"], seed=bench.seed
        )
        return fit_named(vectors, targets, named, strength=strength, names=names)

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Two regressions a fold, the last one, and the labels' vectors."""
        once = logistic_seconds(len(bench.train) + len(bench.labels), len(bench.labels))
        return (2 * _FOLDS + 1) * once + label_seconds(bench, candidate.backbone)


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

    def logistic(rows: NDArray[Any], classes: NDArray[np.int64], n: int) -> LinearHead:
        return fit_logistic(rows, classes, n_labels=n, strength=strength)

    if names == 0:
        return fit_present(vectors, targets, n_labels=n_labels, fit=logistic)
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
