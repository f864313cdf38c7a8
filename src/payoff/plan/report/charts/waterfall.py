"""From value to profit: what each step adds and takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.charts.rows import Bar, Row, draw_rows
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.figures import entries, finite, quantity


def draw_waterfall(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Bars that hang from one another, the last from zero; None where a step has no amount.

    Example:
        >>> draw_waterfall({}, Sheet()) is None
        True
    """
    steps = entries(summary, "waterfall")
    amounts = [finite(step.get("amount")) for step in steps]
    if not steps or None in amounts:
        return None
    rows: list[Row] = []
    level = 0.0
    for step, change in zip(steps, amounts, strict=True):
        assert change is not None
        total = bool(step.get("total"))
        start, end = (0.0, change) if total else (level, level + change)
        level = end
        colour = "var(--gain)" if change >= 0 else "var(--loss)"
        if not total:
            colour = "var(--gain-3)" if change >= 0 else "var(--loss)"
        # The text stands right of the bar, so the bar is given from left to right.
        bar = Bar(min(start, end), max(start, end), colour, quantity(change))
        rows.append(Row(str(step.get("step", "")), (bar,), strong=total, link=level))
    return draw_rows(sheet, rows)
