"""Confidence sequence: an interval that may be looked at every day, and acted upon."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

PLANNED_PART = 0.7
"""Share of the allowed errors that is spent on being sharp at the planned end."""

EARLY = 1 / 8
"""Part of the planned information at which the other share is sharpest: an early stop for harm."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the range that holds the true one.

    Args:
        estimate: The figure.
        low: Lower end.
        high: Upper end.

    Example:
        >>> Interval(1.0, 0.5, 1.5).scaled(100)
        Interval(estimate=100.0, low=50.0, high=150.0)
    """

    estimate: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """The same in another unit; the ends change places where the factor is below 0."""
        ends = sorted((self.low * factor, self.high * factor))
        return Interval(self.estimate * factor, *ends)

    def within(self, low: float, high: float) -> Interval:
        """Without what cannot be."""
        low, high = max(self.low, low), min(self.high, high)
        return Interval(self.estimate, min(low, self.estimate), max(high, self.estimate))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


def errors_wide(information: float, planned: float, confidence: float) -> float:
    r"""How many standard errors the interval reaches to each side.

    The narrower of two boundaries, each with its share of the errors that are allowed, so that both
    together err at any look at all with a probability of at most ``1 - confidence``:

    - *planned*: the constant boundary of Brownian motion, ``c \sqrt{I*/I}`` errors wide until the
      planned information ``I*`` and not valid after it, with ``4 (1 - Φ(c)) = α₁`` by the
      reflection principle (O'Brien and Fleming 1979, Biometrics 35(3), in its continuous form; Lan
      and DeMets 1983, Biometrika 70(3)). It is wide at first and 2.38 errors at the planned end.
    - *early*: Robbins' normal mixture, ``\sqrt{(1 + 1/r) \log((1 + r) / α₂²)}`` with ``r = I/ρ``,
      valid for ever (Robbins 1970, Ann. Math. Statist. 41(5); Howard et al. 2021, Ann. Statist.
      49(2), eq. 14). It stops a harmful arm early, and holds after the planned end.

    Both hold for means with an estimated variance in the sense of asymptotic confidence sequences
    (Waudby-Smith et al. 2024, Ann. Statist. 52(6), theorem 2.2).

    Requests of one customer are not independent, so that the estimate is no sum of independent
    steps: a customer that comes again brings its peculiarity again. This makes two looks *more*
    alike than the clock of the information says, and by Slepian's inequality the boundaries are
    then crossed less often, not more often. Where the requests per customer grow while customers
    come, the simulations of ``benchmarks/experiments.py`` are what vouches for it.

    Args:
        information: Reached so far; requests times ``share · (1 − share)``.
        planned: At the planned end, stated before the first request.
        confidence: Such as 0.95.

    Returns:
        Infinity where there is no information yet.

    Example:
        >>> [round(errors_wide(i, 1000, 0.95), 2) for i in (10, 125, 500, 1000, 5000)]
        [4.4, 3.45, 3.36, 2.38, 3.81]
    """
    if information <= 0.0:
        return math.inf
    error = 1.0 - confidence
    early = (1.0 - PLANNED_PART) * error
    ratio = information / (planned * EARLY / _sharpest_at(early))
    mixture = math.sqrt((1.0 + 1.0 / ratio) * math.log((1.0 + ratio) / early**2))
    if information > planned:
        return mixture
    constant = NormalDist().inv_cdf(1.0 - PLANNED_PART * error / 4.0)
    return min(mixture, constant * math.sqrt(planned / information))


def _sharpest_at(error: float) -> float:
    """Where Robbins' mixture is narrowest, in units of its ``ρ``: ``r = log((1 + r) / error²)``."""
    ratio = 10.0
    for _ in range(30):  # a contraction: each step divides what is missing by 1 + r
        ratio = math.log((1.0 + ratio) / error**2)
    return ratio


def interval_of(
    estimate: float,
    standard_error: float,
    information: float,
    *,
    planned: float,
    confidence: float,
) -> Interval:
    """The interval at a look.

    Args:
        estimate: A mean, or a difference of means.
        standard_error: Of it, with requests of one customer taken together.
        information: Reached so far.
        planned: At the planned end.
        confidence: Such as 0.95, at all looks together.

    Example:
        >>> interval_of(0.5, 0.1, 1000, planned=1000, confidence=0.95).low > 0.25
        True
    """
    wide = errors_wide(information, planned, confidence)
    if not math.isfinite(wide) or not math.isfinite(standard_error):
        return Interval(estimate, -math.inf, math.inf)
    return Interval(estimate, estimate - wide * standard_error, estimate + wide * standard_error)
