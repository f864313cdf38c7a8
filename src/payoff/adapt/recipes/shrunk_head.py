"""Linear discriminant analysis with a shrunk covariance, on frozen vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.linear import LinearHead, log_loss
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.zero_shot import label_seconds, label_vectors
from payoff.adapt.workbench import Workbench

_SHRINKAGES = (0.05, 0.2, 0.5, 0.7, 0.85, 1.0)
_NAMES = (1.0, 0.0, 2.0)  # the first where nothing tells them apart
_SHARPNESSES = tuple(float(s) for s in np.geomspace(0.02, 2.0, 12))
_FOLDS = 5


class ShrunkHead(ClosedForm):
    """Few rows give good means and a poor covariance; shrinking mends the covariance.

    How far, how many rows a label's name counts as, and how sharp the logits are, is chosen by log
    loss over folds of the training rows; where no class has two rows, these are fixed.
    """

    name = "shrunk-head"
    defaults = (("prior", 10.0),)

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """On frozen vectors."""
        return fit_shrunk(
            bench.opened(candidate.backbone).trunk.pooled()[bench.train],
            bench.train_targets,
            label_vectors(bench, candidate.backbone),
            prior=candidate["prior"],
            seed=bench.seed,
        )

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """A covariance and its eigenvectors a fold, and the labels' vectors."""
        width = bench.opened(candidate.backbone).encoder.shape.width
        each = 2e-9 * width**3 + 1e-10 * len(bench.train) * width**2
        return 0.1 + (_FOLDS + 1) * each + label_seconds(bench, candidate.backbone)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is chosen over folds; as it is where there are none."""

    shrinkage: float = 0.85
    names: float = 1.0
    sharpness: float = 0.1


def fit_shrunk(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    named: NDArray[Any],
    *,
    prior: float,
    seed: int,
) -> LinearHead:
    """A discriminant with shrinkage, weight of the names and sharpness chosen over five folds.

    Args:
        vectors: ``(n, width)``.
        targets: Classes as indices below ``n_labels``, ``(n,)``; some may not occur.
        named: What each label means, ``(n_labels, width)``.
        prior: Rows added to each class before its share is taken.
        seed: Which rows make a fold.
    """
    fold = folds(targets, _FOLDS, seed=seed)
    chosen = _Choice()
    if (fold >= 0).any():
        chosen = _chosen(vectors, targets, named, fold, prior=prior)
    found = Discriminant.of(vectors, targets, n_labels=len(named))
    head = found.with_names(named, chosen.names).head(chosen.shrinkage, prior=prior)
    return LinearHead(
        (chosen.sharpness * head.weight).astype(np.float32),
        (chosen.sharpness * head.bias).astype(np.float32),
    )


def _chosen(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    named: NDArray[Any],
    fold: NDArray[np.int64],
    *,
    prior: float,
) -> _Choice:
    """What has the lowest log loss on rows that were left out."""
    grid = list(product(_SHRINKAGES, _NAMES))
    losses = np.zeros((len(grid), len(_SHARPNESSES)))
    for number in np.unique(fold[fold >= 0]):
        out = fold == number
        rest = Discriminant.of(vectors[~out], targets[~out], n_labels=len(named))
        for i, (shrinkage, names) in enumerate(grid):
            head = rest.with_names(named, names).head(shrinkage, prior=prior)
            logits = head(vectors[out]).astype(np.float64)
            for j, sharpness in enumerate(_SHARPNESSES):
                losses[i, j] += log_loss(sharpness * logits, targets[out])
    row, column = divmod(int(losses.argmin()), losses.shape[1])
    return _Choice(*grid[row], _SHARPNESSES[column])


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Class means and the covariance within classes, ready for any shrinkage.

    Args:
        means: ``(n_labels, width)``; 0 for a class without rows.
        counts: Rows of each class, ``(n_labels,)``.
        values: Eigenvalues of the covariance within classes, ``(width,)``.
        axes: Its eigenvectors as columns, ``(width, width)``.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.int64]
    values: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(
        cls, vectors: NDArray[Any], targets: NDArray[np.int64], *, n_labels: int
    ) -> Discriminant:
        """From rows ``(n, width)`` and their classes ``(n,)``.

        Example:
            >>> rows = np.array([[0.0, 1.0], [0.0, 3.0], [4.0, 0.0], [4.0, 0.0]])
            >>> found = Discriminant.of(rows, np.array([0, 0, 1, 1]), n_labels=2)
            >>> found.means.tolist(), found.values.tolist()
            ([[0.0, 2.0], [4.0, 0.0]], [0.0, 0.5])
        """
        counts = np.bincount(targets, minlength=n_labels)
        means = np.zeros((n_labels, vectors.shape[1]))
        np.add.at(means, targets, vectors)
        means /= np.maximum(counts, 1)[:, None]
        rest = vectors - means[targets]
        values, axes = np.linalg.eigh(rest.T @ rest / max(1, len(vectors)))
        return cls(means, counts, np.maximum(values, 0.0), axes)

    def with_names(self, named: NDArray[Any], names: float) -> Discriminant:
        """The vector of a label's name counted as ``names`` rows; as the mean where it has none.

        Names are moved to where the rows are: a name is not worded as a message is.

        Args:
            named: ``(n_labels, width)``.
            names: 0 or more.
        """
        there = self.counts > 0
        moved = named.astype(np.float64)
        if there.any():
            moved += self.means[there].mean(axis=0) - moved.mean(axis=0)
        rows = self.counts[:, None].astype(np.float64)
        counted = (rows * self.means + names * moved) / np.maximum(rows + names, 1e-12)
        return replace(self, means=np.where(there[:, None], counted, moved))

    def head(self, shrinkage: float, *, prior: float) -> LinearHead:
        """Logits up to what all classes share: log prior times density.

        The covariance is moved by ``shrinkage`` (above 0, up to 1) towards the one that is equal
        in all directions (Ledoit & Wolf 2004, equation 4); with 1 the nearest mean wins. The
        same where no class has two rows that differ.

        Args:
            shrinkage: As scikit-learn's ``LinearDiscriminantAnalysis``.
            prior: Rows added to each class before its share is taken: the larger, the more equal
                the classes are taken to be.
        """
        average = self.values.mean()
        if average > 1e-12:
            spread = (1.0 - shrinkage) * self.values + shrinkage * average
        else:
            spread = np.full_like(self.values, 0.5 / len(self.values))  # as of unit vectors
        centre = self.means.mean(axis=0)  # without it the logits would be large and nearly equal
        apart = self.means - centre
        weight = ((apart @ self.axes) / spread) @ self.axes.T
        bias = -(weight * (centre + apart / 2)).sum(axis=1)
        rows = np.maximum(self.counts + prior, 1e-6)
        bias += np.log(rows / rows.sum())
        return LinearHead(weight, bias)
