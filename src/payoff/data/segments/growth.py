"""Growth of a segment: how fast its share of rows rises or falls along the time column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.data.times import order_values

_SECONDS_PER_MONTH: Final = 730.0 * 3600.0
_STEEPEST: Final = 200.0
_BISECTIONS: Final = 80
_Z95: Final = 1.6448536269514722
LEAST_ROWS: Final = 10
"""Rows below which no growth is told."""
LEAST_MONTHS: Final = 1.0
"""Months that the rows must span."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth a month of the rate at which rows come.

    Args:
        per_month: Share by which a month exceeds the one before; 0.02 is 2 %.
        low: 5 % end of its interval.
        high: 95 % end.
    """

    per_month: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """The same figures as plain values."""
        return {"per_month": self.per_month, "low": self.low, "high": self.high}


def growth_of(times_months: NDArray[np.float64], first: float, last: float) -> Growth | None:
    """Growth by maximum likelihood, with no cutting into months.

    Rows are taken as a Poisson process whose rate grows exponentially over the window. Given how
    many there are, their places ``u`` in the window, 0 to 1, then have the density
    ``g e^(g u) / (e^g − 1)``, whose log likelihood depends on the mean of ``u`` alone (Cox and
    Lewis 1966, "The statistical analysis of series of events", chapter 3). Its root is found by
    bisection, and its interval from the Fisher information.

    Args:
        times_months: Times of the segment's rows in months, any order.
        first: Begin of the window: the earliest time of all rows.
        last: End of the window.

    Returns:
        None where there are fewer than 10 rows or the window is shorter than a month.

    Example:
        >>> growth_of(np.linspace(0, 12, 500), 0, 12).per_month
        0.0
        >>> growth_of(np.arange(5.0), 0, 12) is None
        True
    """
    months, n = last - first, len(times_months)
    if n < LEAST_ROWS or months < LEAST_MONTHS:
        return None
    mean = float(((times_months - first) / months).mean())
    low, high = -_STEEPEST, _STEEPEST
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean_place(middle) < mean else (low, middle)
    steepness = (low + high) / 2
    error = _Z95 / math.sqrt(n * _place_variance(steepness))
    at = (steepness, steepness - error, steepness + error)
    return Growth(*(round(math.expm1(g / months), 9) + 0.0 for g in at))


def months_of(times: Sequence[str], where: str) -> NDArray[np.float64] | None:
    """Times in months of 730 hours; None where they are plain numbers, whose unit nobody knows.

    Raises:
        DataError: PF109 where a value is no time that can be put in order.

    Example:
        >>> one, other = months_of(["2025-01-01", "2025-01-31T10:00:00"], "when")
        >>> round(float(other - one), 6)
        1.0
        >>> months_of(["1", "2"], "when") is None
        True
    """
    values = order_values(times, where)
    try:
        [float(value) for value in times]
    except ValueError:
        months: NDArray[np.float64] = values / _SECONDS_PER_MONTH
        return months
    return None


def _mean_place(g: float) -> float:
    """Mean of the density ``g e^(g u) / (e^g − 1)`` on 0 to 1."""
    if abs(g) < 1e-4:
        return 0.5 + g / 12
    return -1.0 / math.expm1(-g) - 1.0 / g


def _place_variance(g: float) -> float:
    """Its variance, which is the Fisher information of one row."""
    if abs(g) < 1e-2:
        return 1 / 12 - g * g / 240
    half = abs(g) / 2
    return 1 / (g * g) - 1 / (4 * math.sinh(half) ** 2)
