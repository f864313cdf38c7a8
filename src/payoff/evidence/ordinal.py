"""Quality where labels are grades in an order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.evidence.quality import Integers, checked, confusion, log_losses
from payoff.evidence.ranks import spearman


@dataclass(frozen=True, slots=True)
class OrdinalQuality:
    """Figures over one set of rows; grades count as 0, 1, 2, … and are equally far apart.

    Args:
        n: Rows.
        accuracy: Share of rows with the true grade.
        within_one: Share of rows with the true grade or one beside it.
        mae_grades: Mean distance to the true grade, in grades.
        quadratic_kappa: Agreement beyond chance, weighted by squared distance (Cohen 1968): 1 is
            perfect, 0 is chance; None where truth and prediction are one and the same grade.
        spearman: Rank correlation of the expected grade with the truth; None where one of them
            is constant.
        log_loss: Mean −ln p(truth), with p no smaller than 1e-15.
    """

    n: int
    accuracy: float
    within_one: float
    mae_grades: float
    quadratic_kappa: float | None
    spearman: float | None
    log_loss: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_ordinal(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, said: npt.ArrayLike
) -> OrdinalQuality:
    """Measure grades against the truth.

    Args:
        probabilities: Of each grade, lowest first, ``(n, k)``, rows summing to 1.
        truth: Index of the true grade, ``(n,)``.
        said: Index of the grade that was given, ``(n,)``.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together.

    Example:
        >>> p = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]
        >>> quality = measure_ordinal(p, [0, 2, 1], [0, 2, 2])
        >>> round(quality.accuracy, 3), quality.within_one, round(quality.mae_grades, 3)
        (0.667, 1.0, 0.333)
    """
    p, y = checked(probabilities, truth)
    given = np.asarray(said, dtype=np.int64)
    if given.shape != y.shape or given.min() < 0 or given.max() >= p.shape[1]:
        raise ValueError(f"decisions {given.shape} do not fit truths {y.shape}")
    away = np.abs(given - y)
    return OrdinalQuality(
        n=len(y),
        accuracy=float((away == 0).mean()),
        within_one=float((away <= 1).mean()),
        mae_grades=float(away.mean()),
        quadratic_kappa=quadratic_kappa(y, given, p.shape[1]),
        spearman=spearman(p @ np.arange(p.shape[1]), y),
        log_loss=float(log_losses(p, y).mean()),
    )


def quadratic_kappa(truth: npt.ArrayLike, said: npt.ArrayLike, n_grades: int) -> float | None:
    """1 − (squared distance seen) / (that of the same grades dealt out by chance).

    None where even chance would never be wrong.

    Example:
        >>> quadratic_kappa([0, 1, 2], [0, 1, 2], 3), quadratic_kappa([1, 1], [1, 1], 3)
        (1.0, None)
    """
    counts: Integers = confusion(truth, said, n_grades)
    place = np.arange(n_grades)
    weight = (place[:, None] - place[None, :]) ** 2
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    expected = float((weight * by_chance).sum())
    return 1 - float((weight * counts).sum()) / expected if expected > 0 else None
