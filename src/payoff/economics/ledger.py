"""Ledger: what a plan earns and pays, entry by entry, in each world and month."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.costs import CostLine, PlanCosts, Step

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


@dataclass(frozen=True, eq=False)
class Ledger:
    """Signed amounts by entry, each of shape ``(n_worlds, months)`` or one that broadcasts to it.

    Args:
        entries: What is earned (positive where it is worth something) and paid (negative).

    Example:
        >>> books = Ledger({Earning.RIGHT: np.array([[9.0, 5.0]]), Step.API: np.array([[-1.0]])})
        >>> books.profit, books.mean(Earning.RIGHT)
        (array([[8., 4.]]), 7.0)
    """

    entries: dict[Earning | Step, Array]

    @cached_property
    def profit(self) -> Array:
        """Sum of all entries, shape ``(n_worlds, months)``, or one that broadcasts to it."""
        total: Array = sum(self.entries.values(), start=np.zeros((1, 1)))
        return total

    def mean(self, entry: Earning | Step) -> float:
        """Mean of an entry over worlds and months."""
        return float(self.entries[entry].mean())


def post(
    conditions: Conditions, costs: PlanCosts, *, nothing: float = 0.0, horizon_months: int
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

    Example:
        >>> half = np.array([0.5])
        >>> c = Conditions(2 * half, 0 * half, 0 * half, half, np.array([[100.0]]), 2 * half, half)
        >>> post(c, PlanCosts(per_request=0.1), horizon_months=12).profit
        array([[95.]])
    """
    requests, price = conditions.requests, conditions.price_factor[:, None]
    share = conditions.handed_share[:, None]
    handoffs = requests * share
    served, lost = handoffs, np.zeros((1, 1))
    if costs.person is not None and costs.person.capacity_per_month is not None:
        served = np.minimum(handoffs, costs.person.capacity_per_month)
        lost = handoffs - served
    each = conditions.handed_over[:, None] / np.where(share > 0, share, 1.0)
    entries: dict[Earning | Step, Array] = {entry: np.zeros((1, 1)) for entry in ENTRIES}
    entries[Earning.RIGHT] = requests * conditions.right[:, None]
    entries[Earning.WRONG] = requests * conditions.wrong[:, None]
    entries[Earning.HANDED_OVER] = served * each
    if nothing:
        entries[Earning.UNANSWERED] = lost * nothing
    if costs.person is not None:
        wage = costs.person.cost_each * conditions.minutes_factor[:, None]
        entries[Step.PEOPLE] = -served * wage
    if costs.hosting is not None:
        for step, cost in costs.hosting.cost_by_step(requests).items():
            entries[step] = entries[step] - cost * price
    if costs.per_request:
        entries[Step.API] = entries[Step.API] - costs.per_request * requests * price
    for step, amount in costs.fixed_per_month(horizon_months).items():
        entries[step] = entries[step] - amount
    return Ledger(entries)


def bill_of(conditions: Conditions, costs: PlanCosts, currency: str) -> tuple[CostLine, ...]:
    """The bill: the mean month's hosting and people, and the lines that do not depend on it.

    Example:
        >>> from payoff.economics.person import Person
        >>> half = np.array([0.5])
        >>> met = Conditions(half, half, half, half, np.array([[100.0]]), half, half)
        >>> [str(line.amount) for line in bill_of(met, PlanCosts(person=Person(4, 30)), "EUR")]
        ['100.00 EUR']
    """
    lines = [*costs.monthly, *costs.once]
    if costs.hosting is not None:
        lines = [*costs.hosting.lines(conditions.requests), *lines]
    requests = float(conditions.requests.mean())
    if costs.person is not None:
        handoffs = conditions.requests * conditions.handed_share[:, None]
        capacity = costs.person.capacity_per_month
        served = handoffs if capacity is None else np.minimum(handoffs, capacity)
        lines.insert(
            0,
            _line(
                Step.PEOPLE,
                "handed over",
                float(served.mean()),
                Money.of(costs.person.cost_each, currency),
            ),
        )
    if costs.per_request:
        lines.append(
            _line(Step.API, "stated per request", requests, Money.of(costs.per_request, currency))
        )
    return tuple(lines)


def _line(step: Step, what: str, quantity: float, price: Money) -> CostLine:
    return CostLine(
        step, what, quantity, "request", price, as_of=None, source="stated", measured=True
    )
