"""Grown ledger: what a plan earns and pays where traffic grows alike in every world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.grown_usage import GrowingUsage, GrownUsage
from payoff.economics.ledger import ENTRIES, Earning, handed_each, mean_product
from payoff.economics.uncertain_money import ends

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

Array = NDArray[np.float64]


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
        using = GrowingUsage(hosting, self.conditions.requests[:, 0])
        for growth in self._growth:
            using.add(growth)
        return sum(self._cost(using.so_far(), step) for step in Step)

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
    assert conditions.growth is not None
    sums = _Sums(conditions, costs, nothing, usage)
    cash = []
    for growth in conditions.growth.tolist():
        sums.add(growth)
        if by_month:
            profit = sums.profit()
            cash.append((float(profit.mean()), *ends(profit)))
    fixed = costs.fixed_per_month(horizon_months)
    monthly = sums.profit() / len(conditions.growth) - sum(fixed.values())
    return GrownLedger(
        conditions=conditions,
        served=sums.served,
        usage=sums.used(),
        wage=sums.wage,
        nothing=nothing,
        per_request=costs.per_request,
        fixed=fixed,
        monthly=monthly,
        cash=tuple(cash),
    )


class _Sums:
    """What each world has earned and paid up to a month, beside what is fixed."""

    def __init__(
        self, met: Conditions, costs: PlanCosts, nothing: float, usage: GrownUsage | None
    ) -> None:
        person, requests = costs.person, met.requests[:, 0]
        self.wage = 0.0 if person is None else person.cost_each
        self._prices = met.price_factor
        self._given = usage
        self._using = None
        if usage is None and costs.hosting is not None:
            self._using = GrowingUsage(costs.hosting, requests)
        self._grown = 0.0
        each: NDArray[Any] = met.right + met.wrong
        rates = costs.per_request + self._rate()
        if rates:
            each = each - rates * met.price_factor
        self.served: Array | None = None
        self._handoffs = requests * met.handed_share
        self._capacity = np.inf
        if person is not None and person.capacity_per_month is not None:
            self._capacity = person.capacity_per_month
        assert met.growth is not None
        most = float(self._handoffs.max()) * float(met.growth.max())
        if most > self._capacity:
            self.served = np.zeros_like(self._handoffs)
            self._answered = handed_each(met) - self.wage * met.minutes_factor - nothing
            self._each_month = requests * each
            if nothing:
                self._each_month = self._each_month + nothing * self._handoffs
        else:
            each = each + met.handed_over
            if self.wage:
                each = each - met.handed_share * (self.wage * met.minutes_factor)
            self._each_month = requests * each
        self._scratch = np.empty_like(self._handoffs)
        parts = [self._each_month, *self._cloud(), self._prices]
        parts += [] if self.served is None else [self._answered]
        shape = np.broadcast_shapes(*(part.shape for part in parts))
        self._profit = np.empty(shape, dtype=np.result_type(*parts))
        self._product = np.empty_like(self._profit)

    def add(self, growth: float) -> None:
        """Add a month with so many times the requests of the first."""
        self._grown += growth
        if self.served is not None:
            np.multiply(self._handoffs, growth, out=self._scratch)
            np.minimum(self._scratch, self._capacity, out=self._scratch)
            self.served += self._scratch
        if self._using is not None:
            self._using.add(growth)

    def profit(self) -> Array:
        """Up to the last month added, ``(w,)`` or ``(1,)``; the next call writes over it."""
        profit, product = self._profit, self._product
        np.multiply(self._each_month, self._grown, out=profit)
        if self.served is not None:
            np.multiply(self.served, self._answered, out=product)
            profit += product
        for cloud in self._cloud():
            np.multiply(cloud, self._prices, out=product)
            profit -= product
        return profit

    def used(self) -> GrownUsage | None:
        """What was used of the hosting."""
        return self._given if self._using is None else self._using.so_far()

    def _rate(self) -> float:
        usage = self._given if self._using is None else self._using.so_far()
        return 0.0 if usage is None else usage.rate

    def _cloud(self) -> list[Array]:
        usage = self._given if self._using is None else self._using
        return [] if usage is None else list(usage.sums.values())
