"""Ledger: what a plan earns and pays, entry by entry, in each world and month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.uncertain_money import ends

if TYPE_CHECKING:
    from payoff.economics.grown_usage import GrownUsage
    from payoff.economics.hosting import Hosting, Usage

Array = NDArray[np.float64]


class Earning(StrEnum):
    """Where the worth of a plan's answers comes from."""

    RIGHT = "right answers"
    WRONG = "wrong answers"
    HANDED_OVER = "handed over"
    UNANSWERED = "not answered"


class Books(Protocol):
    """What a plan earns and pays, told alike whether months are told apart or added up."""

    @property
    def usage(self) -> Usage | GrownUsage | None:
        """What is used of the hosting; None without one."""

    @property
    def monthly(self) -> Array:
        """Profit of the mean month, shape ``(w,)`` or ``(1,)``."""

    @property
    def mean_served(self) -> float:
        """Handoffs that people answer in the mean month."""

    @property
    def mean_requests(self) -> float:
        """Requests of the mean month."""

    def mean(self, entry: Earning | Step) -> float:
        """Mean of an entry over worlds and months."""

    def cash_by_month(self, horizon_months: int) -> NDArray[np.float64]:
        """Profit up to each month: mean, 5 % and 95 %, shape ``(months, 3)``."""

    def mean_cost(self, hosting: Hosting) -> float:
        """What another hosting would cost in the mean month, at the same factors."""


ENTRIES: Final[tuple[Earning | Step, ...]] = (*Earning, *Step)
"""All entries in the order of the waterfall: what is earned, then what is paid."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ledger:
    """Signed amounts of a plan: their sum in each world and month, and the mean of each entry.

    Entries are kept as what they are products of, since a product of a hundred thousand worlds is
    seldom asked for by itself. Make them with `post`.

    Args:
        conditions: What the plan meets.
        served: Handoffs that people answer, shape ``(w, months)``.
        lost: Handoffs that nobody answers, the same shape; None where there are none.
        wage: What people cost for each; 0 where nobody is paid.
        nothing: Worth of a request that nobody answers.
        usage: What is used of the hosting; None without one.
        per_request: Anything else that every request costs.
        fixed: Cost a month that does not depend on the requests, by step.

    Example:
        >>> one, no = np.ones(1), np.zeros(1)
        >>> met = Conditions(2 * one, no, no, no, np.array([[5.0, 7.0]]), one, one)
        >>> books = post(met, PlanCosts(), horizon_months=2)
        >>> books.profit, books.mean(Earning.RIGHT), books.mean(Step.PEOPLE)
        (array([[10., 14.]]), 12.0, 0.0)
    """

    conditions: Conditions
    served: Array
    lost: Array | None
    wage: float
    nothing: float
    usage: Usage | None
    per_request: float
    fixed: Mapping[Step, float]

    @cached_property
    def profit(self) -> Array:
        """Sum of all entries, shape ``(w, months)``, or one that broadcasts to it."""
        met = self.conditions
        each = met.right + met.wrong
        if self.per_request:
            each = each - self.per_request * met.price_factor
        if self.lost is None:
            each = each + met.handed_over
            if self.wage:
                each = each - met.handed_share * (self.wage * met.minutes_factor)
            total: Array = met.requests * each[:, None]
        else:
            handed = self.handed_each - self.wage * met.minutes_factor
            total = met.requests * each[:, None] + self.served * handed[:, None]
            if self.nothing:
                total += self.lost * self.nothing
        if self.cloud:
            first, *others = self.cloud.values()
            total = total - sum(others, start=first) * met.price_factor[:, None]
        total -= sum(self.fixed.values())
        return total

    @cached_property
    def handed_each(self) -> Array:
        """Money that a handoff which is answered earns before wages, shape ``(w,)``."""
        return handed_each(self.conditions)

    @cached_property
    def monthly(self) -> Array:
        """Profit of the mean month, shape ``(w,)`` or ``(1,)``."""
        profit = self.profit
        mean: Array = profit[:, 0] if profit.shape[1] == 1 else profit.mean(axis=1)
        return mean

    @property
    def cloud(self) -> Mapping[Step, Array]:
        """Cost of hosting by step at the prices as they are, ``(w, months)``."""
        return {} if self.usage is None else self.usage.cost_by_step

    @property
    def mean_served(self) -> float:
        """Handoffs that people answer in the mean month."""
        return float(self.served.mean())

    @property
    def mean_requests(self) -> float:
        """Requests of the mean month."""
        return self.conditions.mean_requests

    def cash_by_month(self, horizon_months: int) -> NDArray[np.float64]:
        """Profit up to each month: mean, 5 % and 95 %, shape ``(months, 3)``."""
        profit = self.profit
        if profit.shape[1] == 1:  # months are alike: a world's cash is n times that of the first
            told = [profit.mean(), *ends(profit[:, 0])]
            return np.outer(np.arange(1, horizon_months + 1), told)
        cumulative = np.ascontiguousarray(profit.cumsum(axis=1).T)
        return np.array([(month.mean(), *ends(month)) for month in cumulative])

    def mean_cost(self, hosting: Hosting) -> float:
        """What another hosting would cost in the mean month, at the same factors."""
        met = self.conditions
        cost = hosting.cost_per_month(met.requests)
        return float((cost * met.price_factor[:, None]).mean())

    @cached_property
    def means(self) -> Mapping[Earning | Step, float]:
        """Mean of each entry over worlds and months, in the order of the waterfall."""
        return {entry: self._mean(entry) for entry in ENTRIES}

    def mean(self, entry: Earning | Step) -> float:
        """Mean of an entry over worlds and months."""
        return self.means[entry]

    def _mean(self, entry: Earning | Step) -> float:
        met = self.conditions
        if entry is Earning.RIGHT:
            return mean_product(met.requests, met.right)
        if entry is Earning.WRONG:
            return mean_product(met.requests, met.wrong)
        if entry is Earning.HANDED_OVER:
            if self.lost is None:
                return mean_product(met.requests, met.handed_over)
            return mean_product(self.served, self.handed_each)
        if entry is Earning.UNANSWERED:
            return 0.0 if self.lost is None else float(self.lost.mean()) * self.nothing
        cost = self.fixed.get(entry, 0.0)
        if entry in self.cloud:
            cost += mean_product(self.cloud[entry], met.price_factor)
        if entry is Step.API and self.per_request:
            cost += self.per_request * mean_product(met.requests, met.price_factor)
        if entry is Step.PEOPLE and self.wage:
            cost += self.wage * mean_product(self.served, met.minutes_factor)
        return -cost if cost else 0.0


def handed_each(met: Conditions) -> Array:
    """Money that a handoff which is answered earns before wages, shape ``(w,)``; 0 without any.

    Example:
        >>> no, half = np.zeros(1), np.array([0.5])
        >>> handed_each(Conditions(no, no, -half, half, np.ones((1, 1)), half, half))
        array([-1.])
    """
    share = met.handed_share
    each: Array = met.handed_over / np.where(share > 0, share, np.inf)
    return each


def mean_product(by_month: Array, by_world: Array) -> float:
    """Mean of ``by_month · by_world`` over worlds and months, ``(w, months)`` and ``(w,)``.

    Example:
        >>> mean_product(np.array([[1.0, 3.0], [2.0, 4.0]]), np.array([1.0, 10.0]))
        16.0
    """
    if len(by_month) != len(by_world):  # one of them holds in all worlds
        return float(by_month.mean() * by_world.mean())
    return float((by_world @ by_month).sum()) / by_month.size


def post(
    conditions: Conditions,
    costs: PlanCosts,
    *,
    nothing: float = 0.0,
    horizon_months: int,
    usage: Usage | None = None,
) -> Ledger:
    """Post every entry of a plan.

    People answer ``min(handoffs, capacity)`` requests and are paid for those; what exceeds their
    capacity is not answered and is worth ``nothing``. What is paid once is spread over the horizon,
    training over the months until retraining.

    Args:
        conditions: What the plan meets.
        costs: What it pays.
        nothing: Worth of a request that nobody answers.
        horizon_months: Months over which single payments are spread.
        usage: What those requests use of the hosting, where that is reckoned already.

    Example:
        >>> half = np.array([0.5])
        >>> c = Conditions(2 * half, 0 * half, 0 * half, half, np.array([[100.0]]), 2 * half, half)
        >>> post(c, PlanCosts(per_request=0.1), horizon_months=12).profit
        array([[95.]])
    """
    served = conditions.requests * conditions.handed_share[:, None]
    lost: Array | None = None
    capacity = None if costs.person is None else costs.person.capacity_per_month
    if capacity is not None and served.max() > capacity:
        handoffs = served
        served = np.minimum(handoffs, capacity)
        lost = handoffs - served
    if usage is None and costs.hosting is not None:
        usage = costs.hosting.use(conditions.requests)
    return Ledger(
        conditions=conditions,
        served=served,
        lost=lost,
        wage=0.0 if costs.person is None else costs.person.cost_each,
        nothing=nothing,
        usage=usage,
        per_request=costs.per_request,
        fixed=costs.fixed_per_month(horizon_months),
    )
