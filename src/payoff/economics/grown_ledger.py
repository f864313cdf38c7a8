"""Grown ledger: what a plan earns and pays where traffic grows alike in every world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.grown_usage import GrowingUsage, GrownUsage
from payoff.economics.ledger import ENTRIES, Earning, handed_each, mean_product
from payoff.economics.uncertain_money import ends_alike

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

Array = NDArray[np.float64]

_BLOCK: Final = 12_288  # worlds whose arrays fit into a processor's own memory


@dataclass(frozen=True, eq=False, kw_only=True)
class GrownLedger:
    """What `payoff.economics.ledger.Ledger` tells, from sums over the months of each world.

    A month's requests are those of the first times its growth, so that all that is so much for
    each request needs one product a world, whatever the number of months. What is left (handoffs
    up to people's capacity, machines by steps) is added up month by month. Make them with
    `post_grown`.

    Args:
        conditions: What the plan meets.
        served: Handoffs of all months that people answer, shape ``(w,)``; None where they answer
            all.
        usage: What is used of the hosting; None without one.
        wage: What people cost for each handoff that they answer.
        nothing: Worth of a request that nobody answers.
        per_request: Anything else that every request costs.
        fixed: Cost a month that does not depend on the requests, by step.
        monthly: Profit of the mean month, shape ``(w,)`` or ``(1,)``.
        cash: At the end of each month, mean and 5 % and 95 % of the worlds' profit so far; empty
            where that was not asked for.

    Example:
        >>> one, no = np.ones(1), np.zeros(1)
        >>> met = Conditions(2 * one, no, no, no, np.array([[5.0]]), one, one,
        ...                  growth=np.array([1.0, 1.5]))
        >>> books = post_grown(met, PlanCosts(), horizon_months=2, by_month=True)
        >>> books.monthly, books.mean(Earning.RIGHT), [told[0] for told in books.cash]
        (array([12.5]), 12.5, [10.0, 25.0])
    """

    conditions: Conditions
    served: Array | None
    usage: GrownUsage | None
    wage: float
    nothing: float
    per_request: float
    fixed: Mapping[Step, float]
    monthly: Array
    cash: tuple[tuple[float, float, float], ...]

    @property
    def mean_served(self) -> float:
        """Handoffs that people answer in the mean month."""
        if self.served is not None:
            return float(self.served.mean()) / self._months
        return self._per_month(self.conditions.handed_share)

    @property
    def mean_requests(self) -> float:
        """Requests of the mean month."""
        return self.conditions.mean_requests

    @cached_property
    def means(self) -> Mapping[Earning | Step, float]:
        """Mean of each entry over worlds and months, in the order of the waterfall."""
        return {entry: self._mean(entry) for entry in ENTRIES}

    def mean(self, entry: Earning | Step) -> float:
        """Mean of an entry over worlds and months."""
        return self.means[entry]

    def cash_by_month(self, horizon_months: int) -> NDArray[np.float64]:
        """Profit up to each month: mean, 5 % and 95 %, shape ``(months, 3)``."""
        fixed = sum(self.fixed.values())
        told: Array = np.array(self.cash) - fixed * np.arange(1, horizon_months + 1)[:, None]
        return told

    def mean_cost(self, hosting: Hosting) -> float:
        """What another hosting would cost in the mean month, at the same factors."""
        met = self.conditions
        usage = GrownUsage.of(hosting, met.requests[:, 0], np.asarray(met.growth))
        return sum(self._cost(usage, step) for step in Step)

    @property
    def _growth(self) -> list[float]:
        growth: list[float] = np.asarray(self.conditions.growth).tolist()
        return growth

    @property
    def _months(self) -> int:
        return len(self._growth)

    def _per_month(self, by_world: Array) -> float:
        """Mean over worlds and months of so much for each request."""
        product = mean_product(self.conditions.requests, by_world)
        return product * sum(self._growth) / self._months

    def _cost(self, usage: GrownUsage, step: Step) -> float:
        prices = self.conditions.price_factor
        cost = 0.0
        if step in usage.rates:
            cost += usage.rates[step] * self._per_month(prices)
        if step in usage.sums:
            cost += mean_product(usage.sums[step][:, None], prices) / self._months
        return cost

    def _mean(self, entry: Earning | Step) -> float:
        met = self.conditions
        if entry is Earning.RIGHT:
            return self._per_month(met.right)
        if entry is Earning.WRONG:
            return self._per_month(met.wrong)
        if entry is Earning.HANDED_OVER:
            if self.served is None:
                return self._per_month(met.handed_over)
            return mean_product(self.served[:, None], handed_each(met)) / self._months
        if entry is Earning.UNANSWERED:
            if self.served is None:
                return 0.0
            return (self._per_month(met.handed_share) - self.mean_served) * self.nothing
        cost = self.fixed.get(entry, 0.0)
        if self.usage is not None:
            cost += self._cost(self.usage, entry)
        if entry is Step.API and self.per_request:
            cost += self.per_request * self._per_month(met.price_factor)
        if entry is Step.PEOPLE and self.wage:
            cost += self.wage * self._wages(met)
        return -cost if cost else 0.0

    def _wages(self, met: Conditions) -> float:
        """Handoffs that people answer in the mean month, times the minutes' factor."""
        if self.served is not None:
            return mean_product(self.served[:, None], met.minutes_factor) / self._months
        return self._per_month(met.handed_share * met.minutes_factor)


def post_grown(
    conditions: Conditions,
    costs: PlanCosts,
    *,
    nothing: float = 0.0,
    horizon_months: int,
    usage: GrownUsage | None = None,
    by_month: bool = False,
) -> GrownLedger:
    """Post every entry of a plan, as `payoff.economics.ledger.post` does for months told apart.

    Args:
        conditions: What the plan meets, with the growth of its months.
        costs: What it pays.
        nothing: Worth of a request that nobody answers.
        horizon_months: Months over which single payments are spread.
        usage: What those requests use of the hosting, where that is reckoned already.
        by_month: Whether the cash of each month is told too.

    Example:
        >>> half = np.array([0.5])
        >>> c = Conditions(2 * half, 0 * half, 0 * half, half, np.array([[100.0]]), 2 * half, half,
        ...                growth=np.ones(3))
        >>> post_grown(c, PlanCosts(per_request=0.1), horizon_months=12).monthly
        array([95.])
    """
    growth, person = conditions.growth, costs.person
    assert growth is not None
    using = None
    if usage is None and costs.hosting is not None:
        using = GrowingUsage(costs.hosting, conditions.requests[:, 0], growth)
    wage = 0.0 if person is None else person.cost_each
    capacity = None if person is None else person.capacity_per_month
    handed = conditions.requests[:, 0] * conditions.handed_share
    bound = capacity is not None and float(handed.max()) * float(growth.max()) > capacity
    used = using or usage
    rate = costs.per_request + (0.0 if used is None else sum(used.rates.values()))
    parts = _Parts(
        each_month=conditions.requests[:, 0]
        * _each(conditions, wage, rate, nothing=nothing if bound else None),
        handed=handed,
        served=np.zeros_like(handed) if bound else None,
        answered=_answered(conditions, wage, nothing) if bound else None,
        clouds=() if used is None else tuple(used.sums.values()),
        prices=conditions.price_factor,
    )
    profit, flow = parts.run(growth.tolist(), capacity or 0.0, using, by_month=by_month)
    fixed = costs.fixed_per_month(horizon_months)
    return GrownLedger(
        conditions=conditions,
        served=parts.served,
        usage=usage if using is None else using.whole(),
        wage=wage,
        nothing=nothing,
        per_request=costs.per_request,
        fixed=fixed,
        monthly=profit / len(growth) - sum(fixed.values()),
        cash=tuple(
            (float(month.mean()), *told) for month, told in zip(flow, ends_alike(flow), strict=True)
        ),
    )


def _each(met: Conditions, wage: float, rate: float, *, nothing: float | None) -> Array:
    """Money of a request beside machines by steps; handoffs as ``nothing`` where that is given."""
    each: Array = met.right + met.wrong
    if rate:
        each = each - rate * met.price_factor
    if nothing is None:
        each = each + met.handed_over
        return each - met.handed_share * (wage * met.minutes_factor) if wage else each
    return each + nothing * met.handed_share if nothing else each


def _answered(met: Conditions, wage: float, nothing: float) -> Array:
    """How much more a handoff is worth that people answer than one that nobody does."""
    return handed_each(met) - wage * met.minutes_factor - nothing


@dataclass(frozen=True, eq=False, kw_only=True)
class _Parts:
    """What the profit of each world is made of; arrays of one world hold in all.

    Args:
        each_month: Money that follows the requests, of the first month.
        handed: Handoffs of the first month.
        served: Handoffs that people answer, of the months so far; None where they answer all.
        answered: What each of these is worth.
        clouds: Cost of machines of the months so far, by step.
        prices: What that is multiplied by.
    """

    each_month: Array
    handed: Array
    served: Array | None
    answered: Array | None
    clouds: tuple[Array, ...]
    prices: Array

    def run(
        self, growth: list[float], capacity: float, using: GrowingUsage | None, *, by_month: bool
    ) -> tuple[Array, Array]:
        """Profit of all months, ``(w,)``, and up to each, ``(months, w)`` or without rows.

        Some thousand worlds at a time, so that what belongs to them stays close to the processor
        while all months are added.
        """
        arrays = [self.each_month, *self.clouds, self.prices, self.handed]
        arrays += [] if self.answered is None else [self.answered]
        n, dtype = max(len(array) for array in arrays), np.result_type(*arrays)
        profit = np.empty(n, dtype=dtype)
        flow = np.empty((len(growth) if by_month else 0, n), dtype=dtype)
        scratch = np.empty((2, min(n, _BLOCK)), dtype=dtype)
        for start in range(0, n, _BLOCK):
            where = slice(start, min(start + _BLOCK, n))
            block, grown = self._take(where), 0.0
            for month, times in enumerate(growth):
                grown += times
                block._serve(times, capacity, scratch[0])
                if using is not None:
                    using.add(month, where)
                if by_month:
                    block._profit(grown, flow[month, where], scratch[1])
            if not by_month:
                block._profit(grown, profit[where], scratch[1])
        return (flow[-1] if by_month else profit), flow

    def _take(self, where: slice) -> _Parts:
        """Views of some of the worlds."""

        def some(array: Array) -> Array:
            return array if len(array) == 1 else array[where]

        return _Parts(
            each_month=some(self.each_month),
            handed=some(self.handed),
            served=None if self.served is None else some(self.served),
            answered=None if self.answered is None else some(self.answered),
            clouds=tuple(some(cloud) for cloud in self.clouds),
            prices=some(self.prices),
        )

    def _serve(self, times: float, capacity: float, scratch: Array) -> None:
        """Add what people answer in a month with so many times the handoffs of the first."""
        if self.served is not None:
            handed = scratch[: len(self.handed)]
            np.multiply(self.handed, times, out=handed)
            np.minimum(handed, capacity, out=handed)
            np.add(self.served, handed, out=self.served)

    def _profit(self, grown: float, profit: Array, scratch: Array) -> None:
        """Write the profit of the months so far, which have so many times the requests."""
        product = scratch[: len(profit)]
        np.multiply(self.each_month, grown, out=profit)
        if self.served is not None and self.answered is not None:
            np.multiply(self.served, self.answered, out=product)
            profit += product
        for cloud in self.clouds:
            np.multiply(cloud, self.prices, out=product)
            profit -= product
