"""The plans as profit against cost, their frontier, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from payoff.plan.report.charts.names import Named, name_layers
from payoff.plan.report.charts.placing import Box, Spot, place_labels
from payoff.plan.report.charts.points import Frame, Point, cost_axis, lifted, points_of, scales
from payoff.plan.report.charts.sheet import LABEL_PX, Sheet, rows_data
from payoff.plan.report.figures import compact, words


def draw_frontier(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Points with their intervals, the frontier as steps, and names where there is room.

    Example:
        >>> draw_frontier({}, Sheet()) is None
        True
    """
    import altair as alt

    points = points_of(summary)
    if not points:
        return None
    points, (low, high) = lifted(points)
    width, height = (292, 330) if sheet.narrow else (710, 420)
    frame = Frame(cost_axis(points), low, high, width, height)
    unit = words(summary.get("currency"), missing="")
    ending = f", {unit}" if unit else ""
    x, y = scales(
        frame,
        sheet,
        x_title=f"cost a month{ending}",
        y_title=f"profit a month{ending}",
        y_ticks=4 if sheet.narrow else 5,
    )
    layers = [_zero(y), *_intervals(points, frame, x, y), *_steps(points, frame, x, y)]
    layers += [*_dots(points, x, y), *name_layers(_placed(points, sheet, frame), x, y)]
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _zero(y: Any) -> Any:
    import altair as alt

    return alt.Chart(rows_data([{"y": 0}])).mark_rule(color="var(--quiet)").encode(y=y)


def _intervals(points: list[Point], frame: Frame, x: Any, y: Any) -> list[Any]:
    import altair as alt

    values = [
        {
            "x": p.cost,
            "y": max(p.low, frame.low),
            "y2": min(p.high, frame.high),
            "colour": "var(--gain-3)" if p.chosen else "var(--rule)",
        }
        for p in points
        if p.low is not None and p.high is not None and p.below is None
    ]
    mark = alt.Chart(rows_data(values)).mark_rule(strokeWidth=3, strokeCap="round")
    colour = alt.Stroke("colour:N", scale=None)
    return [mark.encode(x=x, y=y, y2=alt.Y2("y2:Q"), stroke=colour)] if values else []


def _steps(points: list[Point], frame: Frame, x: Any, y: Any) -> list[Any]:
    import altair as alt

    best = sorted((p for p in points if p.best and p.below is None), key=lambda p: p.cost)
    if len(best) < 2:
        return []
    values = [{"x": p.cost, "y": p.profit} for p in best]
    values.append({"x": frame.axis.high, "y": best[-1].profit})
    mark = alt.Chart(rows_data(values)).mark_line(
        interpolate="step-after", color="var(--gain-3)", strokeWidth=1.5
    )
    return [mark.encode(x=x, y=y)]


def _dots(points: list[Point], x: Any, y: Any) -> list[Any]:
    import altair as alt

    def value(p: Point) -> dict[str, Any]:
        colour = "var(--gain)" if p.best or p.chosen else "var(--quiet)"
        shape = "triangle-down" if p.below is not None else "diamond" if p.baseline else "circle"
        fill = colour if p.chosen else "var(--card)"
        size = 150 if p.chosen else 80
        return {
            "x": p.cost,
            "y": p.profit,
            "fill": fill,
            "line": colour,
            "shape": shape,
            "size": size,
        }

    values = [value(p) for p in sorted(points, key=lambda p: (p.chosen, p.best))]
    mark = alt.Chart(rows_data(values)).mark_point(opacity=1, strokeWidth=2)
    looks = {
        "fill": alt.Fill("fill:N", scale=None),
        "stroke": alt.Stroke("line:N", scale=None),
        "shape": alt.Shape("shape:N", scale=None),
        "size": alt.Size("size:Q", scale=None),
    }
    return [mark.encode(x=x, y=y, **looks)]


def _placed(points: list[Point], sheet: Sheet, frame: Frame) -> list[Named]:
    """The names that have room, the most important first, with where they stand."""
    ranked = sorted(points, key=lambda p: (not p.chosen, not p.baseline, not p.best, -p.profit))
    limit = 17.0 if sheet.narrow else 24.0
    names = [_name(point) for point in ranked]
    widths = [min(sheet.text_px(name), limit * LABEL_PX) * 1.1 + 4 for name in names]
    spots = [
        Spot(frame.across(point.cost), frame.down(point.profit), width)
        for point, width in zip(ranked, widths, strict=True)
    ]
    places = place_labels(
        spots,
        frame.width + 8,
        frame.height,
        lines=[_level(frame, 0.0, 0.0, frame.axis.high), *_step_boxes(ranked, frame)],
        faint=_interval_boxes(ranked, frame),
    )
    return [
        Named(point.cost, point.profit, sheet.put(name, limit), place, point.chosen)
        for point, name, place in zip(ranked, names, places, strict=True)
        if place
    ]


def _level(frame: Frame, profit: float, start: float, end: float) -> Box:
    """The box around a level line from one cost to another."""
    height = frame.down(profit)
    return Box(frame.across(start), height - 1, frame.across(end), height + 1)


def _interval_boxes(points: list[Point], frame: Frame) -> list[Box]:
    boxes = []
    for p in points:
        if p.low is not None and p.high is not None and p.below is None:
            middle = frame.across(p.cost)
            boxes.append(Box(middle - 2, frame.down(p.high), middle + 2, frame.down(p.low)))
    return boxes


def _step_boxes(points: list[Point], frame: Frame) -> list[Box]:
    """The frontier's steps as boxes that labels keep clear of."""
    best = sorted((p for p in points if p.best and p.below is None), key=lambda p: p.cost)
    boxes = [_level(frame, p.profit, p.cost, frame.axis.high) for p in best[-1:]]
    for one, following in pairwise(best):
        boxes.append(_level(frame, one.profit, one.cost, following.cost))
        rise = frame.across(following.cost)
        boxes.append(Box(rise - 1, frame.down(following.profit), rise + 1, frame.down(one.profit)))
    return boxes


def _name(point: Point) -> str:
    return point.name if point.below is None else f"{point.name} {compact(point.below)}"
