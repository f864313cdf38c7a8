"""Span: the days that a page is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAYS = {"today": 1, "7": 7, "30": 30, "all": None}
"""What can be chosen, with the number of days, today included; None is all of them."""

USUAL = "30"


@dataclass(frozen=True, slots=True)
class Span:
    """Days up to today, in UTC.

    Args:
        name: One of `DAYS`.
        since: The first day, such as ``"2026-11-01"``; empty for all.
        today: The last day.

    Example:
        >>> span_of("7", datetime(2026, 11, 30, 8, tzinfo=UTC))
        Span(name='7', since='2026-11-24', today='2026-11-30')
    """

    name: str
    since: str
    today: str


def span_of(name: str, now: datetime | None = None) -> Span:
    """The days of a name; the usual ones where there is none of that name.

    Args:
        name: As an address has it.
        now: The time; now where it is not given.

    Example:
        >>> span_of("all").since, span_of("nothing").name
        ('', '30')
    """
    now = now or datetime.now(UTC)
    name = name if name in DAYS else USUAL
    n = DAYS[name]
    since = "" if n is None else (now - timedelta(days=n - 1)).strftime("%Y-%m-%d")
    return Span(name, since, now.strftime("%Y-%m-%d"))
