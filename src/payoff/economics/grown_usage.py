"""Grown usage: what months that grow alike use of a hosting, added up month by month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from payoff.economics.charge import PerRequest, Quantity
from payoff.economics.costs import CostLine, Step

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

Array = NDArray[np.float64]

_MOST_JUMPS: Final = 256  # beyond, a month is reckoned world by world


@dataclass(frozen=True, eq=False)
class GrownUsage:
    """What some months use of a hosting, at its prices as they are.

    Args:
        hosting: The hosting.
        rates: Money that every request costs, by step.
        sums: Money of all months together beside that, by step, shape ``(w,)``.
        units: Units of each charge in the mean month of the mean world.

    Example:
        >>> from payoff.core.money import Money
        >>> from payoff.economics.charge import Charge
        >>> from payoff.economics.hosting import Hosting
        >>> each = Charge(Step.API, "calls", PerRequest(1.0), "request", Money.of("0.002", "USD"),
        ...               as_of=None, source="stated", measured=True)
        >>> api = Hosting("an API", "stated", "calls", "", currency="USD", charges=(each,))
        >>> used = GrowingUsage(api, np.array([1000.0]))
        >>> used.add(1.0), used.add(3.0)
        (None, None)
        >>> used.so_far().rates[Step.API], [line.quantity for line in used.so_far().lines]
        (0.002, [2000.0])
    """

    hosting: Hosting
    rates: Mapping[Step, float]
    sums: Mapping[Step, Array]
    units: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Money that every request costs, all steps together."""
        return sum(self.rates.values())

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """The bill of the mean month."""
        pairs = zip(self.hosting.charges, self.units, strict=True)
        return tuple(charge.line_of(units) for charge, units in pairs)


class GrowingUsage:
    """Adds up what months use, each with the requests of the first times a factor.

    What is so much for each request is a rate. What comes in steps is written in one stroke for
    all worlds on a step, since they stand in the order of their requests. Only what is neither is
    reckoned world by world.

    Args:
        hosting: The hosting.
        requests: Requests of the first month, rising, shape ``(w,)``.

    Raises:
        EconomicsError: PF617 where the hosting could not be priced.
    """

    def __init__(self, hosting: Hosting, requests: Array) -> None:
        hosting.check_priced()
        self._hosting = hosting
        self._requests = requests
        self._mean = float(requests.mean())
        self._n_months = 0
        self._grown = 0.0
        self._units = [0.0] * len(hosting.charges)
        self.rates: dict[Step, float] = {}
        self.sums: dict[Step, Array] = {}
        for charge in hosting.charges:
            if isinstance(charge.quantity, PerRequest):
                each = float(charge.unit_price) * charge.quantity.units
                self.rates[charge.step] = self.rates.get(charge.step, 0.0) + each
            elif charge.step not in self.sums:
                self.sums[charge.step] = np.zeros(len(requests))

    def add(self, growth: float) -> None:
        """Add a month with so many times the requests of the first."""
        self._n_months += 1
        self._grown += growth
        for number, charge in enumerate(self._hosting.charges):
            if not isinstance(charge.quantity, PerRequest):
                into = self.sums[charge.step]
                self._units[number] += _add(
                    charge.quantity, self._requests, growth, into, float(charge.unit_price)
                )

    def so_far(self) -> GrownUsage:
        """What the months that were added use; the sums go on growing with later months."""
        months = max(self._n_months, 1)
        units = []
        for charge, found in zip(self._hosting.charges, self._units, strict=True):
            linear = isinstance(charge.quantity, PerRequest)
            units.append(
                (charge.quantity.at(self._mean) * self._grown if linear else found) / months
            )
        return GrownUsage(self._hosting, self.rates, self.sums, tuple(units))


def _add(quantity: Quantity, requests: Array, growth: float, into: Array, price: float) -> float:
    """Add a month's cost to each world, and tell the mean units."""
    if quantity.stepped:
        jumps = quantity.steps(float(requests[-1]) * growth)
        if len(jumps) <= _MOST_JUMPS:
            return _add_steps(quantity, requests, growth, into, price, jumps / growth)
    units = quantity(requests * growth)
    into += price * units
    return float(units.mean())


def _add_steps(
    quantity: Quantity, requests: Array, growth: float, into: Array, price: float, jumps: Array
) -> float:
    """The same where all worlds between two jumps use as much."""
    below = np.searchsorted(requests, jumps, side="right")
    stops = np.unique(np.append(below[below > 0], len(requests)))
    units = quantity(requests[stops - 1] * growth)
    start, total = 0, 0.0
    for stop, each in zip(stops.tolist(), units.tolist(), strict=True):
        into[start:stop] += price * each
        total += each * (stop - start)
        start = stop
    return total / len(requests)
