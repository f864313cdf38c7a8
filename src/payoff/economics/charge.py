"""Charge: a price and the quantity of it that a month's requests use up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.traffic import SECONDS_PER_MONTH

Array = NDArray[np.float64]
_NO_STEPS: Array = np.empty(0)


class Quantity(Protocol):
    """Units used in a month with so many requests; also told where that jumps.

    Attributes:
        stepped: Whether it is the same for all requests between two jumps.
    """

    stepped: ClassVar[bool]

    def __call__(self, requests: Array) -> Array:
        """Units for ``requests`` a month, any shape, the same shape back."""

    def at(self, requests: float) -> float:
        """The same for one month: quick, for comparing many hosts."""

    def steps(self, up_to: float) -> Array:
        """Requests a month up to which the quantity stays on a step, below ``up_to``."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same quantity every month.

    Example:
        >>> Fixed(2.0)(np.array([1.0, 5.0]))
        array([2., 2.])
    """

    stepped: ClassVar[bool] = True
    units: float

    def __call__(self, requests: Array) -> Array:
        """The constant, in the shape of ``requests``."""
        return np.full(np.shape(requests), self.units)

    def at(self, requests: float) -> float:
        """The constant."""
        return self.units

    def steps(self, up_to: float) -> Array:
        """None."""
        return _NO_STEPS


@dataclass(frozen=True, slots=True)
class PerRequest:
    """So many units for each request.

    Example:
        >>> PerRequest(0.5)(np.array([10.0]))
        array([5.])
    """

    stepped: ClassVar[bool] = False
    units: float

    def __call__(self, requests: Array) -> Array:
        """``units × requests``."""
        return self.units * requests

    def at(self, requests: float) -> float:
        """``units × requests``."""
        return self.units * requests

    def steps(self, up_to: float) -> Array:
        """None."""
        return _NO_STEPS


@dataclass(frozen=True, slots=True)
class PerColdStart:
    """So many units for each request that finds no warm instance.

    Requests arrive as a Poisson process of rate ``λ``; an instance is kept for ``T`` after its
    last request; so the share of requests that come after a longer gap is ``exp(−λ T)``.

    Args:
        units: Units for one cold start.
        keep_alive_minutes: ``T``.

    Example:
        >>> one_in_ten_minutes = 730 * 6.0  # e^-0.5 of them come after more than 5 minutes
        >>> PerColdStart(1.0, 5.0).share(np.array(one_in_ten_minutes)).round(4)
        np.float64(0.6065)
    """

    stepped: ClassVar[bool] = False
    units: float
    keep_alive_minutes: float

    def share(self, requests: Array) -> Array:
        """Share of the requests that are cold starts, the shape of ``requests``."""
        gone: Array = np.exp(-requests / SECONDS_PER_MONTH * self.keep_alive_minutes * 60.0)
        return gone

    def __call__(self, requests: Array) -> Array:
        """``units × requests × share``."""
        return self.units * requests * self.share(requests)

    def at(self, requests: float) -> float:
        """``units × requests × share``."""
        return float(self(np.asarray(requests)))

    def steps(self, up_to: float) -> Array:
        """None."""
        return _NO_STEPS


@dataclass(frozen=True, eq=False, slots=True)
class PerInstance:
    """Whole instances, as many as the month's peak needs.

    Args:
        units: Units of one instance a month (730 for a price per hour, 1 for one per month).
        limits: Requests a month that 1, 2, … instances can take, rising; short, see ``each``.
        each: What one more instance takes beyond the last limit.
        at_least: Instances that run in any case.

    Example:
        >>> PerInstance(730.0, np.array([100.0, 250.0]), 150.0)(np.array([1, 100, 101, 300.0]))
        array([ 730.,  730., 1460., 2190.])
    """

    stepped: ClassVar[bool] = True
    units: float
    limits: Array
    each: float
    at_least: int = 1

    def count(self, requests: Array) -> Array:
        """Instances for so many requests a month, the same shape."""
        many = np.asarray(requests - self.limits[-1], dtype=np.float64)
        np.maximum(many, 0.0, out=many)
        many *= (1.0 - 1e-12) / self.each
        np.ceil(many, out=many)
        many += len(self.limits)
        if len(self.limits) > 1:
            few = np.searchsorted(self.limits, requests, side="left") + 1.0
            many = np.minimum(many, few, where=requests <= self.limits[-1], out=many)
        return np.maximum(many, float(self.at_least), out=many)

    def __call__(self, requests: Array) -> Array:
        """``units × count``."""
        return self.units * self.count(requests)

    def at(self, requests: float) -> float:
        """``units × count``."""
        last = float(self.limits[-1])
        if requests > last:
            more = math.ceil((requests - last) * ((1.0 - 1e-12) / self.each))
            needed = more + len(self.limits)
        elif len(self.limits) == 1:
            needed = 1
        else:
            needed = int(np.searchsorted(self.limits, requests, side="left")) + 1
        return self.units * max(needed, self.at_least)

    def steps(self, up_to: float) -> Array:
        """The limits of 1, 2, … instances below ``up_to``."""
        n_more = max(0, math.ceil((up_to - self.limits[-1]) / self.each))
        more = self.limits[-1] + self.each * np.arange(1, n_more + 1)
        limits = np.concatenate([self.limits, more])[self.at_least - 1 :]
        return limits[limits < up_to]


@dataclass(frozen=True, eq=False, slots=True)
class PerScaledInstance:
    """Whole instances, as many in each hour as that hour needs: the mean over the hours.

    Args:
        pool: Instances that the busiest hour needs, by the requests of the month.
        by_hour: Requests of each hour, relative to each other.

    Example:
        >>> pool = PerInstance(730.0, np.array([100.0]), 100.0)
        >>> half = PerScaledInstance(pool, (1.0, 0.5))  # 300: three in one hour, two in the other
        >>> half(np.array([300.0])), half.steps(250.0)
        (array([1825.]), array([100., 200.]))
    """

    stepped: ClassVar[bool] = True
    pool: PerInstance
    by_hour: tuple[float, ...]

    def __call__(self, requests: Array) -> Array:
        """``units × mean count``."""
        jumps = self._jumps(float(np.max(requests, initial=0.0)))
        above = np.searchsorted(jumps, requests, side="left") / len(self.by_hour)
        return self.pool.units * (self.pool.at_least + above)

    def at(self, requests: float) -> float:
        """``units × mean count``."""
        return float(self(np.asarray(requests)))

    def steps(self, up_to: float) -> Array:
        """Requests a month at which an hour needs one more, below ``up_to``."""
        return np.unique(self._jumps(up_to))

    def _jumps(self, up_to: float) -> Array:
        """Where each hour needs one more, rising; one entry an hour and instance."""
        most = max(self.by_hour)
        jumps = [
            self.pool.steps(up_to * hour / most) * most / hour for hour in self.by_hour if hour > 0
        ]
        return np.sort(np.concatenate(jumps))


@dataclass(frozen=True, slots=True)
class Charge:
    """One price that a hosting asks, and how much of it a month's requests use.

    Args:
        step: Step of the plan it belongs to.
        what: What is paid for.
        quantity: Units used, from the requests of a month.
        unit: What one price buys.
        unit_price: Price of one unit, in the plan's currency.
        as_of: Day of the price; None where it is stated by the founder.
        source: Where the price comes from.
        measured: Whether the quantity rests on measurements alone.
        note: What was assumed, converted or left out.

    Example:
        >>> charge = Charge(Step.API, "calls", PerRequest(1.0), "request",
        ...                 Money.of("0.002", "USD"), as_of=None, source="stated", measured=True)
        >>> charge.line(1000.0).amount, charge.cost(np.array([1000.0, 2000.0]))
        (Money(2.0000 USD), array([2., 4.]))
    """

    step: Step
    what: str
    quantity: Quantity
    unit: str
    unit_price: Money
    as_of: date | None = field(kw_only=True)
    source: str = field(kw_only=True)
    measured: bool = field(kw_only=True)
    note: str = field(default="", kw_only=True)

    def cost(self, requests: Array) -> Array:
        """Money for months with so many requests, any shape."""
        return float(self.unit_price) * self.quantity(requests)

    def line(self, requests: float | Array) -> CostLine:
        """The line of the bill for so many requests; for several months, of the mean month."""
        return self.line_of(float(np.mean(self.quantity(np.asarray(requests, dtype=np.float64)))))

    def line_of(self, units: float) -> CostLine:
        """The line of the bill for so many units."""
        return CostLine(
            self.step,
            self.what,
            units,
            self.unit,
            self.unit_price,
            as_of=self.as_of,
            source=self.source,
            measured=self.measured,
            note=self.note,
        )
