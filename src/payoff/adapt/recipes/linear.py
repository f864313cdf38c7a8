"""A linear head on fixed vectors: logistic regression, saved as two arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.extras import require

if TYPE_CHECKING:
    from payoff.adapt.tasks.task import Task


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Logits of normalised vectors.

    Args:
        weight: ``(n_labels, width)``.
        bias: ``(n_labels,)``.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(n, width)`` to ``(n, n_labels)``."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write ``head.npz``."""
        np.savez(folder / "head.npz", weight=self.weight, bias=self.bias)

    @classmethod
    def restore(cls, folder: Path) -> LinearHead:
        """Read ``head.npz``."""
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            return cls(arrays["weight"], arrays["bias"])


def fit_logistic(
    vectors: NDArray[Any],
    targets: NDArray[np.int64],
    *,
    n_labels: int,
    strength: float,
    weights: NDArray[np.float64] | None = None,
) -> LinearHead:
    """Multinomial logistic regression with an L2 penalty.

    Args:
        vectors: ``(n, width)``.
        targets: Classes as indices below ``n_labels``; every class must occur.
        n_labels: How many classes.
        strength: Inverse of the penalty, scikit-learn's ``C``.
        weights: What each row counts, ``(n,)``; all the same where not given.
    """
    linear = require("sklearn.linear_model", "tune", "training a head")
    model = linear.LogisticRegression(C=strength, max_iter=1000, tol=1e-4)
    model.fit(vectors, targets, sample_weight=weights)
    weight, bias = model.coef_, model.intercept_
    if n_labels == 2:  # one row of weights says both classes
        weight = np.concatenate([-weight / 2, weight / 2])
        bias = np.concatenate([-bias / 2, bias / 2])
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def log_loss(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Negative log-likelihood of the true classes, summed over rows.

    Args:
        logits: ``(n, n_labels)``.
        targets: ``(n,)``.

    Example:
        >>> round(log_loss(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1])), 6)
        1.386294
    """
    logits = logits - logits.max(axis=1, keepdims=True)
    right = logits[np.arange(len(targets)), targets]
    return float((np.log(np.exp(logits).sum(axis=1)) - right).sum())


@dataclass
class HeadAttempt:
    """The training of a linear head on fixed vectors: one step, no pauses.

    Args:
        vectors: Of all texts of the workbench, ``(n_texts, width)``.
        targets: Of all texts, ``(n_texts,)``.
        train: Rows to train on.
        n_labels: How many outputs: classes, unless ``task`` says otherwise.
        strength: Inverse of the penalty.
        task: Says what head is best; a logistic regression where not given.
    """

    vectors: NDArray[np.float32]
    targets: NDArray[Any]
    train: NDArray[np.int64]
    n_labels: int
    strength: float
    head: LinearHead | None = field(default=None)
    task: Task | None = None

    def advance(self, share: float) -> None:
        """Fit, at any share."""
        if self.head is None:
            vectors, targets = self.vectors[self.train], self.targets[self.train]
            self.head = (
                fit_logistic(vectors, targets, n_labels=self.n_labels, strength=self.strength)
                if self.task is None
                else self.task.head(
                    vectors, targets, n_outputs=self.n_labels, strength=self.strength
                )
            )

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.head is not None
        return self.head(self.vectors[rows])

    def save(self, folder: Path) -> None:
        """Write the head."""
        assert self.head is not None
        self.head.save(folder)

    def restore(self, folder: Path) -> None:
        """Read the head."""
        self.head = LinearHead.restore(folder)
