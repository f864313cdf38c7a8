"""Cash month by month, with its band and the month it turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.sheet import LABEL_EXPRESSION, Sheet, rows_data
from payoff.plan.report.figures import compact, entries, finite


@dataclass(frozen=True, slots=True)
class Month:
    """Cumulative cash at the end of a month: expected, and the ends of its interval.

    Example:
        >>> Month(1, -20.0, None, None).mean
        -20.0
    """

    month: int
    mean: float
    low: float | None
    high: float | None


def months_of(summary: Mapping[str, Any]) -> list[Month]:
    """The months whose expected cash is known, in order.

    Example:
        >>> months_of({"months": [{"month": 1, "cash_mean": 5}, {"month": 2}]})
        [Month(month=1, mean=5.0, low=None, high=None)]
    """
    found = []
    for entry in entries(summary, "months"):
        number, mean = finite(entry.get("month")), finite(entry.get("cash_mean"))
        if number is not None and mean is not None:
            low, high = finite(entry.get("cash_low")), finite(entry.get("cash_high"))
            found.append(Month(int(number), mean, low, high))
    return sorted(found, key=lambda month: month.month)


def turning_month(months: list[Month]) -> int | None:
    """The first month from which the expected cash stays at or above zero.

    Example:
        >>> turning_month([Month(1, -2, None, None), Month(2, 3, None, None)])
        2
    """
    turning = None
    for month in reversed(months):
        if month.mean < 0:
            break
        turning = month.month
    return turning


def draw_cash(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """A line with its band over the months, and its last value beside it.

    Example:
        >>> draw_cash({}, Sheet()) is None
        True
    """
    import altair as alt

    months = months_of(summary)
    if len(months) < 2:
        return None
    x, y = _axes(months, sheet)
    layers: list[Any] = []
    banded = [m for m in months if m.low is not None and m.high is not None]
    if banded:
        values = [{"x": m.month, "y": m.low, "y2": m.high} for m in banded]
        area = alt.Chart(rows_data(values)).mark_area(color="var(--band)", line=False)
        layers.append(area.encode(x=x, y=y, y2=alt.Y2("y2:Q")))
    zero = alt.Chart(rows_data([{"y": 0}])).mark_rule(color="var(--quiet)", strokeWidth=1)
    layers.append(zero.encode(y=y))
    values = [{"x": m.month, "y": m.mean} for m in months]
    line = alt.Chart(rows_data(values)).mark_line(color="var(--gain)", strokeWidth=2.5)
    layers.append(line.encode(x=x, y=y))
    layers += _end(months[-1], sheet, x, y) + _turn(months, sheet, x, y)
    width = sheet.width - (108 if sheet.narrow else 140)
    height = 230 if sheet.narrow else 300
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _axes(months: list[Month], sheet: Sheet) -> tuple[Any, Any]:
    import altair as alt

    last = months[-1].month
    every = max(1, -(-last // (6 if sheet.narrow else 12)))
    ticks = [m.month for m in months if m.month % every == 0 or (m.month == 1 and every < 4)]
    axis = alt.Axis(values=ticks, grid=False, title="month", format="d")
    x = alt.X("x:Q", axis=axis, scale=alt.Scale(domain=[months[0].month, last], nice=False))
    count = 4 if sheet.narrow else 5
    y_axis = alt.Axis(title=None, tickCount=count, labelExpr=LABEL_EXPRESSION)
    return x, alt.Y("y:Q", axis=y_axis, scale=alt.Scale(zero=True, nice=True))


def _end(last: Month, sheet: Sheet, x: Any, y: Any) -> list[Any]:
    import altair as alt

    values = [{"x": last.month, "y": last.mean, "text": sheet.put(compact(last.mean))}]
    base = alt.Chart(rows_data(values))
    text = base.mark_text(align="left", dx=10, fontWeight="bold", fontSize=15)
    layers = [
        base.mark_circle(size=60, color="var(--gain)", opacity=1).encode(x=x, y=y),
        text.encode(x=x, y=y, text=alt.Text("text:N")),
    ]
    if last.low is not None and last.high is not None:
        ends = [
            {"x": last.month, "y": end, "text": sheet.put(compact(end))}
            for end in (last.low, last.high)
            if abs(end - last.mean) > 0
        ]
        mark = alt.Chart(rows_data(ends)).mark_text(align="left", dx=10, color="var(--soft)")
        layers.append(mark.encode(x=x, y=y, text=alt.Text("text:N")))
    return layers


def _turn(months: list[Month], sheet: Sheet, x: Any, y: Any) -> list[Any]:
    import altair as alt

    turning = turning_month(months)
    if turning is None or turning == months[0].month:
        return []
    text = sheet.put(f"cash turns positive in month {turning}")
    place = [m.month for m in months].index(turning)
    before, after = months[place - 1], months[place]
    share = before.mean / (before.mean - after.mean)
    crossing = before.month + share * (after.month - before.month)
    values = [{"x": crossing, "y": 0, "text": text}]
    base = alt.Chart(rows_data(values))
    left = turning < months[-1].month * 0.6
    label = base.mark_text(
        align="left" if left else "right", dx=0 if left else -6, dy=18, color="var(--soft)"
    )
    return [
        base.mark_point(
            size=70, fill="var(--card)", stroke="var(--gain)", strokeWidth=2, opacity=1
        ).encode(x=x, y=y),
        label.encode(x=x, y=y, text=alt.Text("text:N")),
    ]
