"""Costs of a month, added up by the database, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Float, case, cast, func, select

from payoff.learn.journal import Journal
from payoff.learn.neighbours import NOBODY, Neighbours
from payoff.learn.spending import UNPRICED
from payoff.learn.tables import costs

_MOST = 200


@dataclass(frozen=True, slots=True)
class MonthCost:
    """What one thing cost in a month.

    Args:
        step: What it belongs to.
        what: What was paid for.
        currency: Of the amount.
        n_lines: How many cost lines.
        amount: Their sum, as a float: to look at, not to account by; `payoff.learn.spending` is
            exact.
    """

    step: str
    what: str
    currency: str
    n_lines: int
    amount: float


@dataclass(frozen=True, slots=True)
class StepCost:
    """What one step cost in one month.

    Args:
        month: Such as ``"2026-11"``.
        step: What was paid for: training, inference, labels, …
        currency: Of the amount.
        n_lines: How many cost lines.
        n_unpriced: Those of them whose price nobody stated: they count as 0, which is too little.
        amount: Their sum, as a float, to look at.
    """

    month: str
    step: str
    currency: str
    n_lines: int
    n_unpriced: int
    amount: float


def month_costs(journal: Journal, month: str, *, beside: Neighbours = NOBODY) -> list[MonthCost]:
    """What a month cost, the dearest first.

    Args:
        journal: Of the cost lines.
        month: Such as ``"2026-11"``.
        beside: Other models that write to it, whose costs are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     month_costs(journal, "2026-11")
        []
    """
    key = (costs.c.step, costs.c.what, costs.c.currency)
    amount = func.sum(cast(costs.c.amount, Float(53)))
    of_month = (costs.c.time_utc >= month) & (costs.c.time_utc < _following(month))
    wanted = select(*key, func.count(), amount).where(of_month, beside.spent()).group_by(*key)
    with journal.reading() as connection:
        rows = connection.execute(wanted.order_by(amount.desc()).limit(_MOST)).all()
    return [MonthCost(row[0], row[1], row[2], int(row[3]), float(row[4])) for row in rows]


def step_costs(journal: Journal, *, beside: Neighbours = NOBODY) -> list[StepCost]:
    """What every month cost by step, the newest month first, in it the dearest step.

    Args:
        journal: Of the cost lines.
        beside: Other models that write to it, whose costs are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     step_costs(journal)
        []
    """
    key = (func.substr(costs.c.time_utc, 1, 7), costs.c.step, costs.c.currency)
    amount = func.sum(cast(costs.c.amount, Float(53)))
    unpriced = func.sum(case((costs.c.note.startswith(UNPRICED), 1), else_=0))
    wanted = select(*key, func.count(), unpriced, amount).where(beside.spent()).group_by(*key)
    with journal.reading() as connection:
        rows = connection.execute(wanted.order_by(key[0].desc(), amount.desc())).all()
    return [
        StepCost(row[0], row[1], row[2], int(row[3]), int(row[4]), float(row[5])) for row in rows
    ]


def _following(month: str) -> str:
    """The month after one: digits alone are sorted alike by every database.

    Example:
        >>> _following("2026-11"), _following("2026-12")
        ('2026-12', '2027-01')
    """
    year, number = int(month[:4]), int(month[5:7])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"
