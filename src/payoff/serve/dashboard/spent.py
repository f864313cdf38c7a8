"""What was spent: by month and by step, against the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from payoff.core.errors import ProjectError
from payoff.learn.month_costs import MonthCost, StepCost, month_costs, step_costs
from payoff.learn.serving_hours import stated_spending
from payoff.serve.dashboard.charts import bars
from payoff.serve.dashboard.subject import Subject

_MOST_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Month:
    """What one month cost, in the model's currency.

    Args:
        month: Such as ``"2026-11"``.
        total: Of all steps.
        steps: Of each.
        n_unpriced: Lines whose price nobody stated: the total is too small by them.
    """

    month: str
    total: float
    steps: Mapping[str, float]
    n_unpriced: int


@dataclass(frozen=True, slots=True)
class Spending:
    """All that the page shows.

    Args:
        months: The newest first; this one in any case.
        chart: The same, as it is drawn.
        steps: That there are, the dearest first.
        budget: Of a month; None where none is stated.
        lines: Of this month, the dearest things first.
        elsewhere: Lines in other currencies, which are in no sum.
    """

    months: Sequence[Month]
    chart: Mapping[str, Any]
    steps: Sequence[str]
    budget: float | None
    lines: Sequence[MonthCost]
    elsewhere: Sequence[StepCost]


def spending(subject: Subject, *, now: datetime | None = None) -> Spending:
    """What was spent so far.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
    """
    this = (now or datetime.now(UTC)).strftime("%Y-%m")
    beside, currency = subject.beside(), subject.desk.currency
    found = step_costs(subject.journal, beside=beside)
    own = [one for one in found if one.currency == currency]
    names = sorted({this, *(one.month for one in own)}, reverse=True)[:_MOST_MONTHS]
    by_step: dict[str, float] = {}
    for one in own:
        by_step[one.step] = by_step.get(one.step, 0.0) + one.amount
    months = [_month(name, [one for one in own if one.month == name]) for name in names]
    budget, old_first = budget_of(subject), months[::-1]
    return Spending(
        months=months,
        chart=bars(
            [one.month for one in old_first],
            [round(one.total, 4) for one in old_first],
            [budget] * len(months),
        ),
        steps=sorted(by_step, key=lambda step: -by_step[step]),
        budget=budget,
        lines=month_costs(subject.journal, this, beside=beside),
        elsewhere=[one for one in found if one.currency != currency],
    )


def budget_of(subject: Subject) -> float | None:
    """The budget of a month; None where none is stated."""
    if subject.budget is not None:
        return subject.budget
    try:
        return stated_spending(subject.desk).per_month
    except ProjectError:
        return None


def _month(name: str, found: Sequence[StepCost]) -> Month:
    return Month(
        name,
        sum(one.amount for one in found),
        {one.step: one.amount for one in found},
        sum(one.n_unpriced for one in found),
    )
