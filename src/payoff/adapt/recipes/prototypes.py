"""The nearest class mean, started from what the labels are called."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.zero_shot import label_seconds, label_vectors
from payoff.adapt.workbench import Workbench


class Prototypes(ClosedForm):
    """Nearest class mean of normalised vectors (Snell et al. 2017, section 2.2).

    The label's own vector (`zero_shot.label_vectors`) counts as ``names`` training rows, so that
    a class without any is known by its name.
    """

    name = "prototypes"
    defaults = (("names", 1.0), ("scale", 20.0))

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """One vector a class."""
        weight = candidate["scale"] * class_prototypes(
            bench.opened(candidate.backbone).trunk.pooled()[bench.train],
            bench.train_targets,
            label_vectors(bench, candidate.backbone),
            names=candidate["names"],
        )
        return LinearHead(weight.astype(np.float32), np.zeros(len(weight), np.float32))

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The label texts take as long as as many of the others."""
        return 0.1 + label_seconds(bench, candidate.backbone)


def class_prototypes(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    named: NDArray[Any],
    *,
    names: float,
) -> NDArray[np.float64]:
    """Normalised sum of each class's vectors and ``names`` times the vector of its name.

    Args:
        vectors: Training rows, ``(n, width)``, normalised.
        targets: Their classes, ``(n,)``.
        named: What each label means, ``(n_labels, width)``, normalised.
        names: How many rows a name counts as; with 0 a class without rows is still known by it.

    Returns:
        ``(n_labels, width)``.

    Example:
        >>> class_prototypes(np.eye(2), np.array([0, 0]), np.eye(2), names=0.0).round(2).tolist()
        [[0.71, 0.71], [0.0, 1.0]]
    """
    summed = names * named.astype(np.float64)
    np.add.at(summed, targets, vectors)
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    normalised: NDArray[np.float64] = np.where(
        length > 1e-12, summed / np.maximum(length, 1e-12), named
    )
    return normalised
