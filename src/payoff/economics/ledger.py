"""Ledger: what a plan earns and pays, entry by entry, in each world and month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.costs import CostLine, PlanCosts, Step

if TYPE_CHECKING:
    from payoff.economics.hosting import Usage

Array = NDArray[np.float64]


class Earning(StrEnum):
    """Where the worth of a plan's answers comes from."""

    RIGHT = "right answers"
    WRONG = "wrong answers"
    HANDED_OVER = "handed over"
    UNANSWERED = "not answered"


ENTRIES: Final[tuple[Earning | Step, ...]] = (*Earning, *Step)
"""All entries in the order of the waterfall: what is earned, then what is paid."""


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a plan meets: per-request worth by kind of answer, traffic, and factors.

    The first axis is the worlds', also where it has length 1; then the value holds in all of them.

    Args:
        right: Money per request that right answers earn, shape ``(w,)``.
        wrong: Money per request that wrong answers earn, shape ``(w,)``.
        handed_over: Money per request that handing over earns before wages, shape ``(w,)``.
        handed_share: Share of the requests that are handed over, shape ``(w,)``.
        requests: Requests, shape ``(w, months)``.
        minutes_factor: What people's minutes are multiplied by, shape ``(w,)``.
        price_factor: What cloud prices are multiplied by, shape ``(w,)``.

    Example:
        >>> one = np.ones(1)
        >>> Conditions(one, one, one, one, np.ones((1, 3)), one, one).mean().requests.shape
        (1, 3)
    """

    right: Array
    wrong: Array
    handed_over: Array
    handed_share: Array
    requests: Array
    minutes_factor: Array
    price_factor: Array

    def mean(self) -> Conditions:
        """The mean world."""
        return self._mean

    @cached_property
    def _mean(self) -> Conditions:
        return Conditions(
            *(
                array.mean(axis=0, keepdims=True)
                for array in (
                    self.right,
                    self.wrong,
                    self.handed_over,
                    self.handed_share,
                    self.requests,
                    self.minutes_factor,
                    self.price_factor,
                )
            )
        )


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
        cloud: Cost of hosting by step at the prices as they are, ``(w, months)``.
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
    cloud: Mapping[Step, Array]
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
        share = self.conditions.handed_share
        each: Array = self.conditions.handed_over / np.where(share > 0, share, np.inf)
        return each

    @cached_property
    def monthly(self) -> Array:
        """Profit of the mean month, shape ``(w,)`` or ``(1,)``."""
        profit = self.profit
        mean: Array = profit[:, 0] if profit.shape[1] == 1 else profit.mean(axis=1)
        return mean

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
            return _mean_product(met.requests, met.right)
        if entry is Earning.WRONG:
            return _mean_product(met.requests, met.wrong)
        if entry is Earning.HANDED_OVER:
            if self.lost is None:
                return _mean_product(met.requests, met.handed_over)
            return _mean_product(self.served, self.handed_each)
        if entry is Earning.UNANSWERED:
            return 0.0 if self.lost is None else float(self.lost.mean()) * self.nothing
        cost = self.fixed.get(entry, 0.0)
        if entry in self.cloud:
            cost += _mean_product(self.cloud[entry], met.price_factor)
        if entry is Step.API and self.per_request:
            cost += self.per_request * _mean_product(met.requests, met.price_factor)
        if entry is Step.PEOPLE and self.wage:
            cost += self.wage * _mean_product(self.served, met.minutes_factor)
        return -cost if cost else 0.0


def _mean_product(by_month: Array, by_world: Array) -> float:
    """Mean of ``by_month · by_world`` over worlds and months, ``(w, months)`` and ``(w,)``."""
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
        cloud={} if usage is None else usage.cost_by_step,
        per_request=costs.per_request,
        fixed=costs.fixed_per_month(horizon_months),
    )


def bill_of(
    ledger: Ledger, costs: PlanCosts, currency: str, usage: Usage | None = None
) -> tuple[CostLine, ...]:
    """The bill: the mean month's hosting and people, and the lines that do not depend on it.

    Args:
        ledger: What was posted.
        costs: What the plan pays.
        currency: Currency of the amounts.
        usage: What was used of the hosting; None without one.

    Example:
        >>> from payoff.economics.person import Person
        >>> half, costs = np.array([0.5]), PlanCosts(person=Person(4, 30))
        >>> met = Conditions(half, half, half, half, np.array([[100.0]]), half, half)
        >>> bill = bill_of(post(met, costs, horizon_months=1), costs, "EUR")
        >>> [str(line.amount) for line in bill]
        ['100.00 EUR']
    """
    lines = [*costs.monthly, *costs.once]
    if usage is not None:
        lines = [*usage.lines, *lines]
    if costs.person is not None:
        served = float(ledger.served.mean())
        wage = Money.of(costs.person.cost_each, currency)
        lines.insert(0, _line(Step.PEOPLE, "handed over", served, wage))
    if costs.per_request:
        requests = float(ledger.conditions.requests.mean())
        price = Money.of(costs.per_request, currency)
        lines.append(_line(Step.API, "stated per request", requests, price))
    return tuple(lines)


def _line(step: Step, what: str, quantity: float, price: Money) -> CostLine:
    return CostLine(
        step, what, quantity, "request", price, as_of=None, source="stated", measured=True
    )
