"""Rows of bars with their names and figures: the form that three pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.sheet import LABEL_PX, Sheet, rows_data

_LABEL_EM = 30.0
_GAP_PX = 7


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a row, in units of the x axis.

    Args:
        start: Where it begins.
        end: Where it ends; its text stands beyond this end.
        colour: A role of the theme.
        text: What stands at its end.
        to_right: Whether the text stands right of the bar rather than left.

    Example:
        >>> Bar(0.0, 3.0, "var(--gain)", "3").to_right
        True
    """

    start: float
    end: float
    colour: str
    text: str
    to_right: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A named row of bars; ``strong`` sets its words in bold, ``link`` ties it to the next.

    Example:
        >>> Row("profit", (Bar(0.0, 3.0, "var(--gain)", "3"),)).strong
        False
    """

    label: str
    bars: tuple[Bar, ...]
    strong: bool = False
    link: float | None = None


def draw_rows(sheet: Sheet, rows: Sequence[Row], *, base: float = 0.0, base_text: str = "") -> str:
    """Draw rows of bars around a vertical line at ``base``, named ``base_text`` where given.

    On a wide sheet the names stand left of the bars, on a narrow one above them.

    Example:
        >>> draw_rows(Sheet(), [Row("a", (Bar(0.0, 3.0, "var(--gain)", "three"),))]).count("three")
        1
    """
    import altair as alt

    label_px = 0.0 if sheet.narrow else _label_px(sheet, rows)
    plot_px = sheet.width - label_px - 6
    x = alt.X("x:Q", scale=alt.Scale(domain=_domain(sheet, rows, base, plot_px)), axis=None)
    scale = alt.Scale(domain=[-0.5, len(rows) - 0.5], reverse=True, nice=False, zero=False)
    y = alt.Y("y:Q", scale=scale, axis=None)
    layers: list[Any] = [*_ground(rows, sheet, base, x, y), *_links(rows, sheet, x, y)]
    layers.append(_bars(rows, sheet, x, y))
    layers += _labels(rows, sheet, label_px, y)
    layers += _texts(rows, sheet, x, y)
    if base_text:
        values = [{"x": base, "text": sheet.put(base_text)}]
        mark = alt.Chart(rows_data(values)).mark_text(
            color="var(--soft)", dy=-16 if sheet.narrow else -10
        )
        layers.append(mark.encode(x=x, y=alt.value(0), text=alt.Text("text:N")))
    step = 46 if sheet.narrow else 33
    return sheet.svg(alt.layer(*layers).properties(width=plot_px, height=step * len(rows)))


def _label_px(sheet: Sheet, rows: Sequence[Row]) -> float:
    widest = max(sheet.text_px(row.label) for row in rows)
    return min(widest * 1.06, _LABEL_EM * LABEL_PX) + 14


def _domain(sheet: Sheet, rows: Sequence[Row], base: float, plot_px: float) -> list[float]:
    bars = [bar for row in rows for bar in row.bars]
    ends = [base, *(bar.start for bar in bars), *(bar.end for bar in bars)]
    low, high = min(ends), max(ends)
    span = (high - low) or max(abs(high), 1.0)

    def room(to_right: bool) -> float:
        texts = [sheet.text_px(bar.text) for bar in bars if bar.to_right is to_right]
        return max(texts, default=-_GAP_PX) * 1.12 + _GAP_PX

    left, right = room(False), room(True)
    unit = span / max(plot_px - left - right, 60.0)
    return [low - left * unit, low + span + right * unit]


def _extent(sheet: Sheet, row: int) -> tuple[float, float]:
    return (row - 0.02, row + 0.34) if sheet.narrow else (row - 0.3, row + 0.3)


def _ground(rows: Sequence[Row], sheet: Sheet, base: float, x: Any, y: Any) -> list[Any]:
    """The line at ``base``: through all rows; on a narrow sheet only between bars."""
    import altair as alt

    ends = [(-0.5, len(rows) - 0.5)]
    if sheet.narrow:
        if base <= min(end for row in rows for bar in row.bars for end in (bar.start, bar.end)):
            return []
        ends = [_extent(sheet, index) for index in range(len(rows))]
    values = [{"x": base, "y": top, "y2": bottom} for top, bottom in ends]
    mark = alt.Chart(rows_data(values)).mark_rule(color="var(--quiet)", strokeWidth=1)
    return [mark.encode(x=x, y=y, y2=alt.Y2("y2:Q"))]


def _bars(rows: Sequence[Row], sheet: Sheet, x: Any, y: Any) -> Any:
    import altair as alt

    values = []
    for index, row in enumerate(rows):
        top, bottom = _extent(sheet, index)
        for bar in row.bars:
            low, high = sorted((bar.start, bar.end))
            values.append({"x": low, "x2": high, "y": top, "y2": bottom, "colour": bar.colour})
    return (
        alt.Chart(rows_data(values))
        .mark_rect(strokeWidth=1)
        .encode(
            x=x,
            x2=alt.X2("x2:Q"),
            y=y,
            y2=alt.Y2("y2:Q"),
            fill=alt.Fill("colour:N", scale=None),
            stroke=alt.Stroke("colour:N", scale=None),
        )
    )


def _links(rows: Sequence[Row], sheet: Sheet, x: Any, y: Any) -> list[Any]:
    import altair as alt

    values = [
        {"x": row.link, "y": _extent(sheet, index)[1], "y2": _extent(sheet, index + 1)[0]}
        for index, row in enumerate(rows[:-1])
        if row.link is not None
    ]
    if not values or sheet.narrow:
        return []
    links = alt.Chart(rows_data(values)).mark_rule(color="var(--quiet)", strokeWidth=1)
    return [links.encode(x=x, y=y, y2=alt.Y2("y2:Q"))]


def _labels(rows: Sequence[Row], sheet: Sheet, label_px: float, y: Any) -> list[Any]:
    import altair as alt

    layers = []
    limit = 27.0 if sheet.narrow else _LABEL_EM
    for strong in (False, True):
        values = [
            {"y": index - 0.26 if sheet.narrow else index, "text": sheet.put(row.label, limit)}
            for index, row in enumerate(rows)
            if row.strong is strong
        ]
        if values:
            mark = alt.Chart(rows_data(values)).mark_text(
                align="left" if sheet.narrow else "right",
                baseline="middle",
                fontWeight="bold" if strong else "normal",
                color="var(--ink)",
            )
            x = alt.value(0 if sheet.narrow else -14)
            layers.append(mark.encode(x=x, y=y, text=alt.Text("text:N")))
    return layers


def _texts(rows: Sequence[Row], sheet: Sheet, x: Any, y: Any) -> list[Any]:
    import altair as alt

    layers = []
    for strong in (False, True):
        for to_right in (False, True):
            values = [
                {"x": bar.end, "y": sum(_extent(sheet, i)) / 2, "text": sheet.put(bar.text)}
                for i, row in enumerate(rows)
                for bar in row.bars
                if row.strong is strong and bar.to_right is to_right and bar.text
            ]
            if values:
                mark = alt.Chart(rows_data(values)).mark_text(
                    align="left" if to_right else "right",
                    dx=_GAP_PX if to_right else -_GAP_PX,
                    baseline="middle",
                    stroke="var(--paper)",
                    strokeWidth=4,
                    fontWeight="bold" if strong else "normal",
                    color="var(--ink)" if strong else "var(--soft)",
                )
                layers.append(mark.encode(x=x, y=y, text=alt.Text("text:N")))
    return layers
