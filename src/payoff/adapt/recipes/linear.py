"""A linear head on fixed vectors: logistic regression, saved as two arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import AdaptError
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

    A class without a row gets the same low logit for every text: 1 below the lowest that any class
    has on any of the rows.

    Args:
        vectors: ``(n, width)``.
        targets: Classes as indices below ``n_labels``, ``(n,)``; some may not occur.
        n_labels: How many classes.
        strength: Inverse of the penalty, scikit-learn's ``C``.
        weights: What each row counts, ``(n,)``; all the same where not given.

    Raises:
        AdaptError: PF405 where fewer than two classes occur.

    Example:
        >>> head = fit_logistic(np.eye(2), np.array([0, 2]), n_labels=3, strength=1.0)
        >>> head(np.eye(2)).argmax(axis=1).tolist()
        [0, 2]
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
    linear = require("sklearn.linear_model", "tune", "training a head")
    model = linear.LogisticRegression(C=strength, max_iter=1000, tol=1e-4)
    with warnings.catch_warnings():
        # With a row or two a class scikit-learn asks whether this is a regression.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit(vectors, own, sample_weight=weights)
    fitted, offset = model.coef_, model.intercept_
    if len(present) == 2:  # one row of weights says both classes
        fitted = np.concatenate([-fitted / 2, fitted / 2])
        offset = np.concatenate([-offset / 2, offset / 2])
    head = LinearHead(fitted.astype(np.float32), offset.astype(np.float32))
    if len(present) == n_labels:
        return head
    weight = np.zeros((n_labels, fitted.shape[1]), np.float32)
    bias = np.full(n_labels, head(np.asarray(vectors)).min() - 1.0, np.float32)
    weight[present], bias[present] = head.weight, head.bias
    return LinearHead(weight, bias)


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
