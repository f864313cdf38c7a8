"""The plans as profit against cost, their frontier, and the one that was chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from payoff.plan.report.charts.placing import Box, Spot, place_labels
from payoff.plan.report.charts.sheet import LABEL_EXPRESSION, LABEL_PX, Sheet, rows_data
from payoff.plan.report.figures import compact, entries, finite, pick, words

_LOG_FROM = 12.0
_FLOOR = 0.28


@dataclass(frozen=True, slots=True)
class Point:
    """One plan in the picture: money a month, and what it is.

    ``below`` holds the true profit of a plan so far under the others that it is drawn at the
    lower edge.
    """

    name: str
    cost: float
    profit: float
    low: float | None
    high: float | None
    chosen: bool
    baseline: bool
    best: bool = False
    below: float | None = None


def points_of(summary: Mapping[str, Any]) -> list[Point]:
    """The plans with cost and profit known; ``best`` are those on the frontier."""
    found = []
    for plan in entries(summary, "plans"):
        cost, profit = finite(plan.get("cost_month")), finite(pick(plan, "profit_month", "mean"))
        if cost is None or profit is None:
            continue
        point = Point(
            words(plan.get("name")),
            max(cost, 0.0),
            profit,
            low=finite(pick(plan, "profit_month", "low")),
            high=finite(pick(plan, "profit_month", "high")),
            chosen=plan.get("status") == "chosen",
            baseline=plan.get("kind") == "baseline",
        )
        found.append(point)
    return [replace(p, best=not any(_beats(q, p) for q in found)) for p in found]


def _beats(one: Point, other: Point) -> bool:
    no_worse = one.profit >= other.profit and one.cost <= other.cost
    return no_worse and (one.profit > other.profit or one.cost < other.cost)


def _lifted(points: Sequence[Point]) -> tuple[list[Point], list[float]]:
    """The points with those far below drawn at the edge, and the ends of the profit axis."""
    high = max(0.0, *(p.profit for p in points))
    lowest = min(0.0, *(p.profit for p in points))
    floor = -_FLOOR * high if high > 0 else lowest
    if lowest >= floor:
        room = 0.07 * ((high - lowest) or 1.0)
        return list(points), [lowest - room, high + 2 * room]
    room = 0.07 * (high - floor)
    # The lower edge leaves room for a label under the arrows.
    kept = [p if p.profit >= floor else replace(p, profit=floor, below=p.profit) for p in points]
    return kept, [floor - room, high + 2 * room]


@dataclass(frozen=True, slots=True)
class CostAxis:
    """The cost axis: linear, or logarithmic above the smallest cost and linear below it."""

    low: float
    high: float
    constant: float | None

    def at(self, cost: float) -> float:
        """Where a cost stands, from 0 at the left to 1 at the right."""
        return (self._bent(cost) - self._bent(self.low)) / (
            self._bent(self.high) - self._bent(self.low)
        )

    def _bent(self, cost: float) -> float:
        return cost if self.constant is None else math.log1p(cost / self.constant)

    def ticks(self, width: float) -> list[float]:
        """Round costs at least 52 pixels apart."""
        top = math.floor(math.log10(self.high)) if self.high > 0 else 0
        if self.constant is None:
            step = next(
                s * 10.0**e
                for e in range(top - 2, top + 2)
                for s in (1, 2, 5)
                if self.high / (s * 10.0**e) <= max(3, width / 90)
            )
            return [step * i for i in range(int(self.high / step) + 1)]
        powers = [10.0**e for e in range(top - 7, top + 1)]
        kept = [0.0]
        for tick in [*powers, *(3 * power for power in powers)]:
            apart = min(abs(self.at(tick) - self.at(other)) * width for other in kept)
            if self.low <= tick <= self.high and apart >= 52:
                kept.append(tick)
        return sorted(kept)


def cost_axis(points: Sequence[Point]) -> CostAxis:
    """Logarithmic where the costs span more than a factor of twelve, linear otherwise."""
    costs = [p.cost for p in points]
    positive = [c for c in costs if c > 0]
    high = max(costs, default=0.0) or 1.0
    if positive and high / min(positive) > _LOG_FROM:
        constant = max(min(positive), high * 1e-6)
        return CostAxis(0.0, high * 1.6, constant)
    return CostAxis(0.0, high * 1.12, None)


def draw_frontier(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Points with their intervals, the frontier as steps, and names where there is room."""
    import altair as alt

    points = points_of(summary)
    if not points:
        return None
    points, domain = _lifted(points)
    axis = cost_axis(points)
    width, height = sheet.width - (58 if sheet.narrow else 70), 330 if sheet.narrow else 420
    unit = words(summary.get("currency"), missing="")
    x, y = _scales(axis, domain, sheet, (width, f", {unit}" if unit else ""))
    layers = [_zero(y), *_intervals(points, domain, x, y), *_steps(points, axis, x, y)]
    layers += _dots(points, x, y)
    layers += _names(points, sheet, (axis, domain, width, height), x, y)
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _scales(
    axis: CostAxis, domain: list[float], sheet: Sheet, form: tuple[float, str]
) -> tuple[Any, Any]:
    """Both axes, given the width of the picture and the words that end their titles."""
    import altair as alt

    width, ending = form
    domain_x = [axis.low, axis.high]
    scale = alt.Scale(type="linear", domain=domain_x, nice=False)
    if axis.constant is not None:
        scale = alt.Scale(type="symlog", constant=axis.constant, domain=domain_x, nice=False)
    x_form = alt.Axis(
        title=sheet.put(f"cost a month{ending}"),
        values=axis.ticks(width),
        grid=False,
        labelExpr=LABEL_EXPRESSION,
    )
    y_form = alt.Axis(
        title=sheet.put(f"profit a month{ending}"),
        titleAngle=0,
        titleAlign="left",
        titleX=-44,
        titleY=-8,
        titleBaseline="bottom",
        tickCount=4 if sheet.narrow else 5,
        labelExpr=LABEL_EXPRESSION,
    )
    y_scale = alt.Scale(domain=domain, nice=False, zero=False)
    return alt.X("x:Q", scale=scale, axis=x_form), alt.Y("y:Q", scale=y_scale, axis=y_form)


def _zero(y: Any) -> Any:
    import altair as alt

    return alt.Chart(rows_data([{"y": 0}])).mark_rule(color="var(--quiet)").encode(y=y)


def _intervals(points: list[Point], domain: list[float], x: Any, y: Any) -> list[Any]:
    import altair as alt

    values = [
        {
            "x": p.cost,
            "y": max(p.low, domain[0]),
            "y2": min(p.high, domain[1]),
            "colour": "var(--gain-3)" if p.chosen else "var(--rule)",
        }
        for p in points
        if p.low is not None and p.high is not None and p.below is None
    ]
    mark = alt.Chart(rows_data(values)).mark_rule(strokeWidth=3, strokeCap="round")
    colour = alt.Stroke("colour:N", scale=None)
    return [mark.encode(x=x, y=y, y2=alt.Y2("y2:Q"), stroke=colour)] if values else []


def _steps(points: list[Point], axis: CostAxis, x: Any, y: Any) -> list[Any]:
    import altair as alt

    best = sorted((p for p in points if p.best and p.below is None), key=lambda p: p.cost)
    if len(best) < 2:
        return []
    values = [{"x": p.cost, "y": p.profit} for p in best]
    values.append({"x": axis.high, "y": best[-1].profit})
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


def _names(
    points: list[Point],
    sheet: Sheet,
    frame: tuple[CostAxis, list[float], float, float],
    x: Any,
    y: Any,
) -> list[Any]:
    import altair as alt

    axis, (low, high), width, height = frame
    ranked = sorted(points, key=lambda p: (not p.chosen, not p.baseline, not p.best, -p.profit))
    names = [_name(p) for p in ranked]
    limit = 17.0 if sheet.narrow else 24.0

    def spot(p: Point, text_px: float) -> Spot:
        return Spot(axis.at(p.cost) * width, (high - p.profit) / (high - low) * height, text_px)

    widths = [min(sheet.text_px(n), limit * LABEL_PX) * 1.1 + 4 for n in names]
    spots = [spot(p, px) for p, px in zip(ranked, widths, strict=True)]

    def down(profit: float) -> float:
        return (high - profit) / (high - low) * height

    lines = [Box(0, down(0) - 1, width, down(0) + 1)]
    faint = [
        Box(s.x - 2, down(p.high), s.x + 2, down(p.low))
        for s, p in zip(spots, ranked, strict=True)
        if p.low is not None and p.high is not None and p.below is None
    ]
    lines += _step_boxes(ranked, frame, down)
    places = place_labels(spots, width + 8, height, lines=lines, faint=faint)
    values = [
        {
            "x": p.cost,
            "y": p.profit,
            "text": sheet.put(n, limit),
            "dx": place.dx,
            "dy": place.dy,
            "align": place.align,
            "chosen": p.chosen,
        }
        for p, n, place in zip(ranked, names, places, strict=True)
        if place
    ]
    layers = []
    for chosen in (False, True):
        shown = [value for value in values if value["chosen"] is chosen]
        mark = alt.Chart(rows_data(shown)).mark_text(
            align=alt.expr("datum.align"),
            dx=alt.expr("datum.dx"),
            dy=alt.expr("datum.dy"),
            baseline="middle",
            fontWeight="bold" if chosen else "normal",
            color="var(--ink)" if chosen else "var(--soft)",
            stroke="var(--paper)",
            strokeWidth=4,
        )
        layers += [mark.encode(x=x, y=y, text=alt.Text("text:N"))] if shown else []
    return layers


def _step_boxes(
    points: list[Point],
    frame: tuple[CostAxis, list[float], float, float],
    down: Callable[[float], float],
) -> list[Box]:
    """The frontier's steps as boxes that labels keep clear of."""
    axis, _, width, _ = frame
    best = sorted((p for p in points if p.best and p.below is None), key=lambda p: p.cost)
    boxes = []
    for one, following in zip(best, [*best[1:], None], strict=True):
        left, level = axis.at(one.cost) * width, down(one.profit)
        right = width if following is None else axis.at(following.cost) * width
        boxes.append(Box(left, level - 1, right, level + 1))
        if following is not None:
            boxes.append(Box(right - 1, down(following.profit), right + 1, level))
    return boxes


def _name(point: Point) -> str:
    return point.name if point.below is None else f"{point.name} {compact(point.below)}"
