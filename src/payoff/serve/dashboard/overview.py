"""The overview: what the service earns, against what was forecast."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.economics.actions import HANDOFF
from payoff.learn.month_costs import month_costs
from payoff.learn.outcomes import Confusion, realised
from payoff.learn.tally import DaySum, first_day, newest_latencies_ms
from payoff.serve.dashboard.charts import bars
from payoff.serve.dashboard.decided import Share, by_action, by_tier, costly
from payoff.serve.dashboard.span import Span
from payoff.serve.dashboard.spent import budget_of
from payoff.serve.dashboard.subject import Subject

if TYPE_CHECKING:
    from payoff.economics.desk import Desk

_COSTS = "costs.json"
_MOST_ROWS = 8
_LATENCIES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Expected:
    """What was forecast when the artifact was made: profit of a month.

    Args:
        mean: Of all worlds.
        low: What 5 % of them fall below.
        high: What 5 % of them exceed.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month.

    Args:
        n: Decisions.
        n_handed: Those of them that were handed over.
        worth: Sum of their expected worth.
        n_told: Those whose worth is known by feedback.
        realised: Sum of what those were worth.
    """

    n: int
    n_handed: int
    worth: float
    n_told: int
    realised: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What the month cost so far.

    Args:
        total: Of the lines in the model's currency.
        elsewhere: Whether there are lines in other currencies, which are not in the total.
        budget: Of the month; None where none is stated.
    """

    total: float
    elsewhere: bool
    budget: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows.

    Args:
        currency: Of all money.
        today: The day so far.
        month: The month so far.
        profit: Of the month so far: expected worth less costs.
        forecast: Of a month; None where the artifact holds none.
        until_now: Share of a month that went by since the month's first decision.
        n_days: Of this month.
        days: What each day earned.
        chart: The same, as it is drawn.
        tiers: Decisions of these days by the model that answered.
        actions: The same by what was done.
        confusions: What was taken for what, the dearest first.
        costs: Of the month.
        latencies_ms: Percentiles with their milliseconds; none without decisions.
        n_latencies: Of how many of the newest decisions.
    """

    currency: str
    today: Period
    month: Period
    profit: float
    forecast: Expected | None
    until_now: float
    n_days: int
    days: Sequence[Mapping[str, Any]]
    chart: Mapping[str, Any]
    tiers: Sequence[Share]
    actions: Sequence[Share]
    confusions: Sequence[Confusion]
    costs: Costs
    latencies_ms: Sequence[tuple[int, float]]
    n_latencies: int


def overview(subject: Subject, span: Span, *, now: datetime | None = None) -> Overview:
    """What a model earned.

    Args:
        subject: The model and its journal.
        span: The days of the chart and of the tables; today and the month are always told.
        now: The time; now where it is not given.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
    """
    now = now or datetime.now(UTC)
    desk, month, today = subject.desk, now.strftime("%Y-%m"), now.strftime("%Y-%m-%d")
    first = first_day(now)
    recent = subject.sums(Span("", first, today))
    chosen = subject.sums(span)
    found = subject.outcomes(min(span.since, first))
    inside = [one for one in found if one.day >= span.since]
    known = realised(found, desk.policy)
    expected = expected_profit(desk)
    this_month = _period(recent, known, month)
    beside = subject.beside()
    lines = month_costs(subject.journal, month, beside=beside)
    own = [one for one in lines if one.currency == desk.currency]
    costs = Costs(sum(one.amount for one in own), len(own) < len(lines), budget_of(subject))
    days = _days(chosen, known, expected, now)
    taken = newest_latencies_ms(subject.journal, beside=beside)
    return Overview(
        currency=desk.currency,
        today=_period(recent, known, today),
        month=this_month,
        profit=this_month.worth - costs.total,
        forecast=expected,
        until_now=_gone(recent, now),
        n_days=calendar.monthrange(now.year, now.month)[1],
        days=days,
        chart=bars(
            [one["day"] for one in days],
            [one["worth"] for one in days],
            [one["forecast"] for one in days],
        ),
        tiers=by_tier(chosen, subject),
        actions=by_action(chosen)[:_MOST_ROWS],
        confusions=costly(inside, subject)[:_MOST_ROWS],
        costs=costs,
        latencies_ms=[(q, float(np.percentile(taken, q))) for q in _LATENCIES] if taken else [],
        n_latencies=len(taken),
    )


def expected_profit(desk: Desk) -> Expected | None:
    """Profit of a month as it was forecast; None where the artifact holds no forecast."""
    if _COSTS not in desk.artifact.documents:
        return None
    try:
        profit = desk.artifact.read_json(_COSTS)["forecast"]["profit"]
        quantiles = profit["quantiles"]
        figures = [float(one) for one in (profit["mean"], quantiles["0.05"], quantiles["0.95"])]
    except (KeyError, TypeError, ValueError):
        return None
    return Expected(*figures) if profit.get("currency") == desk.currency else None


def _period(sums: Sequence[DaySum], known: Mapping[str, tuple[int, float]], start: str) -> Period:
    inside = [one for one in sums if one.day.startswith(start)]
    told = [one for day, one in known.items() if day.startswith(start)]
    return Period(
        n=sum(one.n for one in inside),
        n_handed=sum(one.n for one in inside if one.action == HANDOFF),
        worth=sum(one.worth for one in inside),
        n_told=sum(n for n, _ in told),
        realised=sum(worth for _, worth in told),
    )


def _gone(sums: Sequence[DaySum], now: datetime) -> float:
    """Share of the month that went by since its first decision's day began."""
    month = now.strftime("%Y-%m")
    days = [one.day for one in sums if one.day.startswith(month)]
    first = int(min(days)[8:10]) if days else now.day
    gone = now.day - first + (now.hour + now.minute / 60) / 24
    return gone / calendar.monthrange(now.year, now.month)[1]


def _days(
    sums: Sequence[DaySum],
    known: Mapping[str, tuple[int, float]],
    expected: Expected | None,
    now: datetime,
) -> list[dict[str, Any]]:
    """What each day of the chart earned; days before the first decision are left out."""
    worth: dict[str, float] = defaultdict(float)
    n: dict[str, int] = defaultdict(int)
    for one in sums:
        worth[one.day] += one.worth
        n[one.day] += one.n
    if not worth:
        return []
    day, rows = datetime.fromisoformat(min(worth)).replace(tzinfo=UTC), []
    while day <= now:
        name = day.strftime("%Y-%m-%d")
        n_days = calendar.monthrange(day.year, day.month)[1]
        rows.append(
            {
                "day": name,
                "n": n[name],
                "worth": round(worth[name], 4),
                "n_told": known.get(name, (0, 0.0))[0],
                "realised": round(known[name][1], 4) if name in known else None,
                "forecast": None if expected is None else round(expected.mean / n_days, 4),
            }
        )
        day += timedelta(days=1)
    return rows
