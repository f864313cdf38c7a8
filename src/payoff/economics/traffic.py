"""Traffic: how many requests come, and how sure the founder is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.economics.prices.price import HOURS_PER_MONTH
from payoff.economics.stated import Stated

SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3600
ASSUMED_LOW: Final = 0.8
ASSUMED_HIGH: Final = 1.25
_PEAK: Final = 4.0
_Z95: Final = 1.6448536269514722
"""95 % quantile of the standard normal distribution."""


_MOST: Final = 1e12  # requests a month: more than anybody has
_MOST_GROWTH: Final = 1.0  # twice as much every month
_SHARE = "It is a share: 0.03 is three percent more every month."
_NOBODY = "State how many requests you expect a month; where none come there is nothing to decide."


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a month: likely, and the range that holds it nine times in ten.

    The number is split-lognormal: its logarithm is ``ln(likely) + s · z`` with ``z`` standard
    normal, ``s = ln(likely / low) / z95`` below the median and ``s = ln(high / likely) / z95``
    above. So 5 %, 50 % and 95 % of the distribution lie below low, likely and high exactly, also
    where the range is skew.

    Where ``low`` or ``high`` is not stated, 0.8 and 1.25 times the likely number are assumed, and
    `assumed` says so.

    Args:
        per_month: Likely requests a month (the median), above 0.
        low: Exceeded in 95 % of the cases.
        high: Exceeded in 5 % of the cases.
        growth_per_month: Share by which each month exceeds the one before; 0.02 is 2 %.
        peak_factor: Busiest requests a second over the month's average.
        characters_per_text: Mean length of a text; None where it is not known.
        at_once: Mean number of requests that come together; 1 is one at a time.
        by_hour: Requests of each hour of a day (24) or of a week (168), relative to each other;
            ``peak_factor`` then follows from them. Empty where only that is known.

    Raises:
        ProjectError: PF203 for each figure that is wrong; `Problems` where there are several.

    Example:
        >>> traffic = Traffic(per_month=40_000, low=30_000, high=60_000)
        >>> traffic.quantile(0.05), traffic.quantile(0.5), traffic.quantile(0.95)
        (30000.0, 40000.0, 60000.0)
        >>> Traffic(per_month=1000).assumed
        ('low', 'high')
    """

    per_month: float
    low: float | None = None
    high: float | None = None
    growth_per_month: float = field(default=0.0, kw_only=True)
    peak_factor: float = field(default=_PEAK, kw_only=True)
    characters_per_text: float | None = field(default=None, kw_only=True)
    at_once: float = field(default=1.0, kw_only=True)
    by_hour: tuple[float, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        stated = Stated("payoff.toml [traffic]")
        likely = stated.number("per_month", self.per_month, above=0, at_most=_MOST, mend=_NOBODY)
        if self.low is not None:
            low = stated.number("low", self.low, above=0, at_most=_MOST)
            if low > likely:
                stated.wrong(f"'low' is {low:g}", expected=f"at most per_month, {likely:g}")
        if self.high is not None:
            high = stated.number("high", self.high, above=0, at_most=_MOST)
            if high < likely:
                stated.wrong(f"'high' is {high:g}", expected=f"at least per_month, {likely:g}")
        growth = self.growth_per_month
        stated.number("growth_per_month", growth, above=-1, at_most=_MOST_GROWTH, mend=_SHARE)
        stated.number("peak_factor", self.peak_factor, at_least=1)
        if self.characters_per_text is not None:
            stated.number("characters_per_text", self.characters_per_text, above=0)
        stated.number("at_once", self.at_once, at_least=1)
        object.__setattr__(self, "by_hour", tuple(self.by_hour))
        if self.by_hour:
            self._take_hours(stated)
        stated.raise_all()

    def _take_hours(self, stated: Stated) -> None:
        """Check the hours; the peak is that of the busiest."""
        hours = [stated.number("by_hour", share, at_least=0) for share in self.by_hour]
        if len(hours) not in (24, 168):
            stated.wrong(f"'by_hour' has {len(hours)} numbers", expected="24 or 168")
        if not stated.problems and not any(hours):
            stated.wrong("'by_hour' is 0 in every hour", expected="one above 0")
        if stated.problems:
            return
        peak = max(hours) * len(hours) / sum(hours)
        if self.peak_factor != _PEAK and not math.isclose(self.peak_factor, peak, rel_tol=1e-6):
            stated.wrong(
                f"'peak_factor' is {self.peak_factor:g} and by_hour says {peak:.4g}",
                mend="Remove one of the two.",
            )
        object.__setattr__(self, "peak_factor", peak)

    @property
    def assumed(self) -> tuple[str, ...]:
        """Which ends of the range were not stated and are assumed."""
        ends = {"low": self.low, "high": self.high}
        return tuple(name for name, value in ends.items() if value is None)

    @property
    def range_per_month(self) -> tuple[float, float]:
        """The 5 % and 95 % quantiles: as stated, or as assumed."""
        low = ASSUMED_LOW * self.per_month if self.low is None else self.low
        high = ASSUMED_HIGH * self.per_month if self.high is None else self.high
        return low, high

    def quantile(self, share: float) -> float:
        """Requests in the first month that are not exceeded with this probability."""
        from statistics import NormalDist

        level = self._levels(np.array([NormalDist().inv_cdf(share)]))[0]
        return round(float(level), 9)

    def _levels(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Requests in the first month for standard normal ``z``, any shape."""
        low, high = self.range_per_month
        below = math.log(self.per_month / low) / _Z95
        above = math.log(high / self.per_month) / _Z95
        levels: NDArray[np.float64] = self.per_month * np.exp(np.where(z < 0, below, above) * z)
        return levels

    def draws(self, seed: int | Sequence[int], n_worlds: int, months: int) -> NDArray[np.float64]:
        """Requests in each month of each world: one level a world, then the stated growth.

        Args:
            seed: Seed; the same seed gives the same worlds whatever the number of months.
            n_worlds: Number of worlds.
            months: Months of the horizon.

        Returns:
            Requests, shape ``(n_worlds, months)``.

        Example:
            >>> Traffic(100, 100, 100, growth_per_month=0.1).draws(0, 1, 3).round(6)
            array([[100., 110., 121.]])
        """
        z = np.random.default_rng(seed).standard_normal(n_worlds)
        growth = (1.0 + self.growth_per_month) ** np.arange(months)
        return self._levels(z)[:, None] * growth

    def peak_per_s(self, requests_per_month: float) -> float:
        """Requests a second in the busiest time of a month with that many.

        Example:
            >>> Traffic(1, peak_factor=4).peak_per_s(730 * 3600)
            4.0
        """
        return requests_per_month / SECONDS_PER_MONTH * self.peak_factor

    def as_dict(self) -> dict[str, Any]:
        """The same figures under the keys of ``[traffic]``."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {
            "by_hour": list(self.by_hour)
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Traffic:
        """Read ``[traffic]``; the inverse of `as_dict`.

        Raises:
            ProjectError: PF202 for unknown keys, PF203 for missing or wrong figures.

        Example:
            >>> Traffic.from_dict({"per_month": 10}) == Traffic(10)
            True
        """
        stated = Stated("payoff.toml [traffic]")
        stated.keys(table, (item.name for item in fields(cls)))
        if "per_month" not in table:
            stated.wrong("'per_month' is missing", expected="the likely requests a month")
        stated.raise_all()
        return cls(**table)
