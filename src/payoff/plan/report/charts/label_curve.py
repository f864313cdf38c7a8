"""The worth of a request over the number of labels, and how many to buy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.sheet import LABEL_EXPRESSION, Sheet, rows_data
from payoff.plan.report.figures import entries, finite, pick

_LETTER_PX = 14
Up = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A number of labels that the picture names.

    Example:
        >>> Mark(1600.0, "now 1,600").labels
        1600.0
    """

    labels: float
    text: str


def points_of(summary: Mapping[str, Any]) -> list[dict[str, float]]:
    """What was measured: labels, mean worth of a request, and its 90 % interval.

    Example:
        >>> held = {"labels": 100, "mean": 2.0, "error": 0.1}
        >>> points_of({"labels": {"curve": {"points": [held]}}})[0]["x"]
        100.0
    """
    found = []
    for point in _entries(summary, "points"):
        labels, mean = finite(point.get("labels")), finite(point.get("mean"))
        if labels is not None and mean is not None and labels > 0:
            half = 1.645 * (finite(point.get("error")) or 0.0)
            found.append({"x": labels, "y": mean, "low": mean - half, "high": mean + half})
    return found


def line_of(summary: Mapping[str, Any]) -> list[dict[str, float]]:
    """The curve: labels, mean worth of a request, and the ends of its 90 % interval.

    Example:
        >>> line_of({"labels": {"curve": {"line": [{"labels": 1, "mean": 2, "low": 1}]}}})
        []
    """
    found = []
    for place in _entries(summary, "line"):
        figures = {key: finite(place.get(key)) for key in ("labels", "mean", "low", "high")}
        known = {key: figure for key, figure in figures.items() if figure is not None}
        if len(known) == 4 and known["labels"] > 0:
            found.append({"x": known["labels"], "y": known["mean"]} | known)
    return found


def _entries(summary: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    curve = pick(summary, "labels", "curve")
    return list(entries(curve, key)) if isinstance(curve, Mapping) else []


def marks_of(summary: Mapping[str, Any]) -> list[Mark]:
    """The labels at hand, and up to how many to buy where that is more.

    Example:
        >>> [m.text for m in marks_of({"labels": {"labels_now": 9, "purchase": {"labels": 3}}})]
        ['now: 9', 'buy up to 12']
    """
    now = finite(pick(summary, "labels", "labels_now"))
    if now is None or now <= 0:
        return []
    marks = [Mark(now, f"now: {now:,.0f}")]
    more = finite(pick(summary, "labels", "purchase", "labels"))
    if more:
        marks.append(Mark(now + more, f"buy up to {now + more:,.0f}"))
    return marks


def draw_label_curve(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Points with their intervals, the curve with its band, dashed where nothing was measured.

    Example:
        >>> draw_label_curve({}, Sheet()) is None
        True
    """
    import altair as alt

    points, line = points_of(summary), line_of(summary)
    if len(points) < 2:
        return None
    marks = marks_of(summary) if line else []
    x = _across(points, line, marks, sheet)

    def up(field: str) -> Any:
        return _up(field, points, line, sheet)

    layers: list[Any] = []
    if line:
        band = alt.Chart(rows_data(line)).mark_area(color="var(--band)", line=False)
        layers.append(band.encode(x=x, y=up("low:Q"), y2=alt.Y2("high:Q")))
        last = points[-1]["x"]
        inner = [place for place in line if place["x"] <= last * 1.0001]
        for part, dashes in ((inner, [1, 0]), (line[max(len(inner) - 1, 0) :], [5, 4])):
            drawn = alt.Chart(rows_data(part)).mark_line(
                color="var(--gain)", strokeWidth=2.5, strokeDash=dashes
            )
            layers.append(drawn.encode(x=x, y=up("y:Q")))
    layers += _marks(marks, _ends(points, line), sheet, x, up) + _points(points, x, up)
    width, height = sheet.width - 66, 240 if sheet.narrow else 320
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _ends(points: list[dict[str, float]], line: list[dict[str, float]]) -> tuple[float, float]:
    low = min(place["low"] for place in [*points, *line])
    high = max(place["high"] for place in [*points, *line])
    return low, high + 0.12 * (high - low)  # room for the words


def _across(
    points: list[dict[str, float]], line: list[dict[str, float]], marks: list[Mark], sheet: Sheet
) -> Any:
    import altair as alt

    places = [place["x"] for place in [*points, *line]] + [mark.labels for mark in marks]
    first, last = min(places), max(places)
    ticks = [points[0]["x"]]
    every = 4.0 if sheet.narrow else 2.0
    while ticks[-1] * every <= last * 1.001:
        ticks.append(ticks[-1] * every)
    axis = alt.Axis(values=ticks, grid=False, title="labels to learn from", format=",.0f")
    scale = alt.Scale(type="log", domain=[first, last], nice=False)
    return alt.X("x:Q", axis=axis, scale=scale)


def _up(
    field: str, points: list[dict[str, float]], line: list[dict[str, float]], sheet: Sheet
) -> Any:
    import altair as alt

    axis = alt.Axis(title=None, tickCount=4 if sheet.narrow else 5, labelExpr=LABEL_EXPRESSION)
    scale = alt.Scale(domain=list(_ends(points, line)), nice=False, zero=False)
    return alt.Y(field, axis=axis, scale=scale)


def _points(points: list[dict[str, float]], x: Any, up: Up) -> list[Any]:
    import altair as alt

    base = alt.Chart(rows_data(points))
    bars = base.mark_rule(color="var(--ink)", strokeWidth=1.5)
    dots = base.mark_circle(size=60, color="var(--ink)", opacity=1)
    return [
        bars.encode(x=x, y=up("low:Q"), y2=alt.Y2("high:Q")),
        dots.encode(x=x, y=up("y:Q")),
    ]


def _marks(marks: list[Mark], ends: tuple[float, float], sheet: Sheet, x: Any, up: Up) -> list[Any]:
    """Upright lines at the numbers named, each with its words at the side where there is room."""
    import altair as alt

    low, high = ends
    layers: list[Any] = []
    for row, mark in enumerate(marks):
        colour = ("var(--quiet)", "var(--gain)")[row]
        text = sheet.put(mark.text)
        value = {"x": mark.labels, "y": low if row else high, "low": low, "high": high}
        base = alt.Chart(rows_data([value | {"text": text}]))
        rule = base.mark_rule(color=colour, strokeWidth=1.5)
        words = base.mark_text(
            align="right",
            dx=-6,
            dy=-_LETTER_PX if row else _LETTER_PX,
            fontWeight="bold" if row else "normal",
            color=colour if row else "var(--soft)",
            stroke="var(--paper)",
            strokeWidth=4,
        )
        layers.append(rule.encode(x=x, y=up("low:Q"), y2=alt.Y2("high:Q")))
        layers.append(words.encode(x=x, y=up("y:Q"), text=alt.Text("text:N")))
    return layers
