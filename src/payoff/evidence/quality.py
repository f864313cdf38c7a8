"""Quality: how right predictions are, in figures without money."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import DataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SMALLEST = 1e-15


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures over one set of rows.

    Args:
        n: Rows.
        accuracy: Share of rows whose most probable label is the true one.
        macro_f1: Mean F1 over the labels that occur among truths or predictions.
        auc: Mean one-against-rest area under the ROC curve, over the labels that some rows have
            and some have not; None where there is no such label.
        log_loss: Mean −ln p(truth), with p no smaller than 1e-15.
        brier: Mean squared distance between probabilities and truth, summed over labels
            (Brier 1950): 0 is best, 2 is worst.
    """

    n: int
    accuracy: float
    macro_f1: float
    auc: float | None
    log_loss: float
    brier: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_quality(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> Quality:
    """Measure predictions against the truth.

    Args:
        probabilities: ``(n, k)``, rows summing to 1.
        truth: Index of the true label, ``(n,)``.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together.

    Example:
        >>> quality = measure_quality([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1])
        >>> round(quality.accuracy, 3), round(quality.macro_f1, 3), quality.auc
        (0.667, 0.667, 1.0)
    """
    p, y = checked(probabilities, truth)
    predicted = p.argmax(axis=1)
    of_truth = p[np.arange(len(y)), y]
    return Quality(
        n=len(y),
        accuracy=float((predicted == y).mean()),
        macro_f1=_macro_f1(confusion(y, predicted, p.shape[1])),
        auc=_macro_auc(p, y),
        log_loss=float(log_losses(p, y).mean()),
        brier=float(((p * p).sum(axis=1) - 2 * of_truth + 1).mean()),
    )


def log_losses(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> Floats:
    """−ln p(truth) of each row in nats, with p no smaller than 1e-15: ``(n,)``.

    Raises:
        DataError: PF106 where there is no row.

    Example:
        >>> log_losses([[0.5, 0.5], [0.8, 0.2]], [0, 1]).round(3).tolist()
        [0.693, 1.609]
    """
    p, y = checked(probabilities, truth)
    losses: Floats = -np.log(np.clip(p[np.arange(len(y)), y], _SMALLEST, 1.0))
    return losses


def confusion(truth: npt.ArrayLike, predicted: npt.ArrayLike, k: int) -> Integers:
    """How often truth ``i`` was predicted as ``j``: ``(k, k)``.

    Example:
        >>> confusion([0, 1, 1], [0, 0, 1], 2)
        array([[1, 0],
               [1, 1]])
    """
    cells = np.asarray(truth, dtype=np.int64) * k + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=k * k).astype(np.int64).reshape(k, k)


def checked(scores: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Integers]:
    """Scores ``(n, k)`` and truths ``(n,)`` that fit together, as arrays.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together or a truth is no column.

    Example:
        >>> checked([[0.0, 1.0]], [1])[1]
        array([1])
    """
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    if y.size == 0:
        raise DataError("PF106", "measurement", "there is no row", expected="at least one")
    if s.ndim != 2 or y.shape != s.shape[:1] or y.min() < 0 or y.max() >= s.shape[1]:
        raise ValueError(f"scores {s.shape} do not fit truths {y.shape} up to {y.max()}")
    return s, y


def _macro_f1(counts: Integers) -> float:
    right = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1)
    present = either > 0
    return float((2 * right[present] / either[present]).mean())


def _macro_auc(p: Floats, y: Integers) -> float | None:
    """Mean over labels of P(a row with it scores higher than one without), ties half.

    The rank form of Hanley & McNeil 1982; ranks of ties are averaged.
    """
    areas = []
    for label in range(p.shape[1]):
        positive = y == label
        n_positive = int(positive.sum())
        n_negative = len(y) - n_positive
        if not n_positive or not n_negative:
            continue
        _, inverse, counts = np.unique(p[:, label], return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
        wins = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
        areas.append(wins / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else None
