"""How the search spent its time: a row a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.charts.rows import Bar, Row, draw_rows
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.figures import duration, entries, finite, pick, words

MOST = 30


def spans_of(summary: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Candidate, start and end in seconds, in the order they began.

    Example:
        >>> spans_of({"timeline": [{"candidate": "a", "start_s": 0, "end_s": 2}]})
        [('a', 0.0, 2.0)]
    """
    found = []
    for entry in entries(summary, "timeline"):
        start, end = finite(entry.get("start_s")), finite(entry.get("end_s"))
        if start is not None and end is not None and end >= start:
            found.append((words(entry.get("candidate")), start, end))
    return sorted(found, key=lambda span: (span[1], span[2]))


def draw_timeline(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Bars from start to end, the chosen plan's in the accent.

    Example:
        >>> draw_timeline({}, Sheet()) is None
        True
    """
    spans: dict[str, list[tuple[float, float]]] = {}
    for name, start, end in spans_of(summary):
        spans.setdefault(name, []).append((start, end))
    chosen = pick(summary, "decision", "plan")
    rows = [_row(name, ends, name == chosen) for name, ends in list(spans.items())[:MOST]]
    return draw_rows(sheet, rows) if rows else None


def _row(name: str, ends: list[tuple[float, float]], chosen: bool) -> Row:
    colour = "var(--gain)" if chosen else "var(--quiet)"
    total = duration(sum(end - start for start, end in ends))
    bars = [
        Bar(start, end, colour, total if place == len(ends) - 1 else "")
        for place, (start, end) in enumerate(ends)
    ]
    return Row(name, tuple(bars), strong=chosen)
