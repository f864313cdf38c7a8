"""The market of a run: the map of its segments, and what it says in a sentence and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.charts.segment_map import draw_segment_map
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.figures import amount, entries, percent, pick, quantity, words

Summary = Mapping[str, Any]

COLUMNS = ("Segment", "Share", "Requests", "Answered alone", "Right of those")
"""Of the table, before its money."""


def draw_market(summary: Summary, sheet: Sheet) -> str | None:
    """The map; None where the run has no segments.

    Example:
        >>> draw_market({}, Sheet()) is None
        True
    """
    market = pick(summary, "market")
    return draw_segment_map(market, sheet) if isinstance(market, Mapping) else None


def read_market(summary: Summary) -> str:
    """Which segments to enter, in one sentence or two; or why there are none.

    Example:
        >>> read_market({"market": {"why": "12 rows are too few"}})
        'The test rows were not cut into segments: 12 rows are too few.'
    """
    why = pick(summary, "market", "why")
    if why is not None:
        return f"The test rows were not cut into segments: {words(why)}."
    return words(pick(summary, "market", "sentence"), missing="Segments were not looked at.")


def market_rows(summary: Summary) -> list[tuple[str, ...]]:
    """A row a segment, the most profitable first: `COLUMNS`, then profit and its interval.

    Example:
        >>> one = {"name": "vip", "requests_month": 900, "profit_month": {"mean": 12}}
        >>> told = {"market": {"segments": [one]}, "shares": {"vip": 0.25}}
        >>> market_rows({"market": told})[0][2:6]
        ('900', 'not measured', 'not measured', '12.00')
    """
    return [
        (
            words(one.get("name")),
            percent(pick(summary, "market", "shares", words(one.get("name"))), 0),
            quantity(one.get("requests_month")),
            percent(one.get("automated_share"), 0),
            percent(one.get("accuracy_automated")),
            *(amount(pick(one, "profit_month", end)) for end in ("mean", "low", "high")),
        )
        for one in entries(summary, "market", "market", "segments")
    ]
