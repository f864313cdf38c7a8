"""Bill: the lines of a plan's mean month, and what is paid once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payoff.core.money import Money
from payoff.economics.costs import CostLine, PlanCosts, Step

if TYPE_CHECKING:
    from payoff.economics.ledger import Books


def bill_of(ledger: Books, costs: PlanCosts, currency: str) -> tuple[CostLine, ...]:
    """The bill: the mean month's hosting and people, and the lines that do not depend on it.

    Args:
        ledger: What was posted.
        costs: What the plan pays.
        currency: Currency of the amounts.

    Example:
        >>> import numpy
        >>> from payoff.economics.conditions import Conditions
        >>> from payoff.economics.ledger import post
        >>> from payoff.economics.person import Person
        >>> half, costs = numpy.array([0.5]), PlanCosts(person=Person(4, 30))
        >>> met = Conditions(half, half, half, half, numpy.array([[100.0]]), half, half)
        >>> bill = bill_of(post(met, costs, horizon_months=1), costs, "EUR")
        >>> [str(line.amount) for line in bill]
        ['100.00 EUR']
    """
    lines = [*costs.monthly, *costs.once]
    if ledger.usage is not None:
        lines = [*ledger.usage.lines, *lines]
    if costs.person is not None:
        served = ledger.mean_served
        wage = Money.of(costs.person.cost_each, currency)
        lines.insert(0, _line(Step.PEOPLE, "handed over", served, wage))
    if costs.per_request:
        requests = ledger.mean_requests
        price = Money.of(costs.per_request, currency)
        lines.append(_line(Step.API, "stated per request", requests, price))
    return tuple(lines)


def _line(step: Step, what: str, quantity: float, price: Money) -> CostLine:
    return CostLine(
        step, what, quantity, "request", price, as_of=None, source="stated", measured=True
    )
