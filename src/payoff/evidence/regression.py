"""Quality where the answer is a number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import DataError
from payoff.evidence.ranks import spearman


@dataclass(frozen=True, slots=True)
class RegressionQuality:
    """Figures over one set of rows, in the unit of the numbers.

    Args:
        n: Rows.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: 1 − (squared error) / (that of these rows' own mean); may be negative; None where the
            truth is constant.
        spearman: Rank correlation; None where the truth or the prediction is constant.
        constant_mae: The mean absolute error of always saying one number, which learnt nothing
            but that number.
    """

    n: int
    mae: float
    rmse: float
    r2: float | None
    spearman: float | None
    constant_mae: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_regression(
    predicted: npt.ArrayLike, truth: npt.ArrayLike, *, constant: float
) -> RegressionQuality:
    """Measure numbers against the truth.

    Args:
        predicted: ``(n,)``.
        truth: ``(n,)``.
        constant: What a predictor that knows no text would say: the median of the training rows.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together.

    Example:
        >>> quality = measure_regression([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], constant=2.0)
        >>> round(quality.mae, 3), round(quality.r2, 3), round(quality.constant_mae, 3)
        (0.333, 0.5, 0.667)
    """
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if not y.size:
        raise DataError("PF106", "measurement", "there is no row", expected="at least one")
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"predictions {p.shape} do not fit truths {y.shape}")
    error = p - y
    spread = float(((y - y.mean()) ** 2).sum())
    return RegressionQuality(
        n=len(y),
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt((error * error).mean())),
        r2=1 - float((error * error).sum()) / spread if spread > 0 else None,
        spearman=spearman(p, y),
        constant_mae=float(np.abs(constant - y).mean()),
    )
