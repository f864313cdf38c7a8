"""Grown usage: what months that grow alike use of a hosting, added up for each world."""

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

_FEW: Final = 64  # worlds that are quicker reckoned one by one
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
        >>> used = GrownUsage.of(api, np.array([1000.0]), np.array([1.0, 3.0]))
        >>> used.rates[Step.API], [line.quantity for line in used.lines]
        (0.002, [2000.0])
    """

    hosting: Hosting
    rates: Mapping[Step, float]
    sums: Mapping[Step, Array]
    units: tuple[float, ...]

    @classmethod
    def of(cls, hosting: Hosting, requests: Array, growth: Array) -> GrownUsage:
        """What months with so many requests use.

        Args:
            hosting: The hosting.
            requests: Of the first month, rising, shape ``(w,)``.
            growth: Requests of each month over those of the first, shape ``(months,)``.

        Raises:
            EconomicsError: PF617 where the hosting could not be priced.
        """
        using = GrowingUsage(hosting, requests, growth)
        everything = slice(0, len(requests))
        for month in range(len(growth)):
            using.add(month, everything)
        return using.whole()

    @property
    def rate(self) -> float:
        """Money that every request costs, all steps together."""
        return sum(self.rates.values())

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """The bill of the mean month."""
        pairs = zip(self.hosting.charges, self.units, strict=True)
        return tuple(charge.line_of(units) for charge, units in pairs)


@dataclass(frozen=True, slots=True)
class _Stairs:
    """Money of a charge in a month: so much for the worlds up to each stop."""

    stops: list[int]
    money: list[float]

    def add_to(self, sums: Array, where: slice) -> None:
        start = where.start
        for stop, money in zip(self.stops, self.money, strict=True):
            if stop > start:
                end = min(stop, where.stop)
                sums[start:end] += money
                start = end
                if start == where.stop:
                    return


class GrowingUsage:
    """Adds up what months use, each with the requests of the first times its growth.

    What is so much for each request is a rate. What comes in steps is written in one stroke for
    all worlds on a step, since they stand in the order of their requests. Only what is neither is
    reckoned world by world. Worlds may be added part by part, each month of all of them once.

    Args:
        hosting: The hosting.
        requests: Requests of the first month, rising, shape ``(w,)``.
        growth: Requests of each month over those of the first, shape ``(months,)``.

    Attributes:
        rates: Money that every request costs, by step.
        sums: Money of the months added so far beside that, by step, shape ``(w,)``.

    Raises:
        EconomicsError: PF617 where the hosting could not be priced.

    Example:
        >>> GrowingUsage(hosting, requests, growth).rates  # doctest: +SKIP
        {<Step.TRANSFER: 'transfer'>: 9e-08}
    """

    def __init__(self, hosting: Hosting, requests: Array, growth: Array) -> None:
        hosting.check_priced()
        self._hosting, self._requests, self._growth = hosting, requests, growth.tolist()
        self._units = [0.0] * len(hosting.charges)
        self._stairs: dict[tuple[int, int], _Stairs] = {}
        self.rates: dict[Step, float] = {}
        self.sums: dict[Step, Array] = {}
        for number, charge in enumerate(hosting.charges):
            quantity, price = charge.quantity, float(charge.unit_price)
            if isinstance(quantity, PerRequest):
                before = self.rates.get(charge.step, 0.0)
                self.rates[charge.step] = before + price * quantity.units
                self._units[number] = quantity.at(float(requests.sum())) * sum(self._growth)
                continue
            self.sums.setdefault(charge.step, np.zeros(len(requests)))
            if quantity.stepped and len(requests) > _FEW:
                self._take_steps(number, quantity, price)

    def _take_steps(self, number: int, quantity: Quantity, price: float) -> None:
        """Where the steps of each month lie among the worlds, unless they are too many."""
        requests, n = self._requests, len(self._requests)
        for month, growth in enumerate(self._growth):
            jumps = quantity.steps(float(requests[-1]) * growth)
            if len(jumps) > _MOST_JUMPS:
                continue
            below = np.searchsorted(requests, jumps / growth, side="right")
            stops = np.unique(np.append(below[below > 0], n))
            units = quantity(requests[stops - 1] * growth)
            self._units[number] += float(np.diff(stops, prepend=0) @ units)
            self._stairs[number, month] = _Stairs(stops.tolist(), (price * units).tolist())

    def add(self, month: int, where: slice) -> None:
        """Add a month, counted from 0, of some of the worlds."""
        for number, charge in enumerate(self._hosting.charges):
            if isinstance(charge.quantity, PerRequest):
                continue
            sums, stairs = self.sums[charge.step], self._stairs.get((number, month))
            if stairs is not None:
                stairs.add_to(sums, where)
                continue
            units = charge.quantity(self._requests[where] * self._growth[month])
            sums[where] += float(charge.unit_price) * units
            self._units[number] += float(units.sum())

    def whole(self) -> GrownUsage:
        """What all months use, once all of them are added."""
        n = len(self._requests) * len(self._growth)
        units = tuple(units / n for units in self._units)
        return GrownUsage(self._hosting, self.rates, self.sums, units)
