"""The plans as points: what they cost and earn, which are on the frontier, and their axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from payoff.plan.report.charts.sheet import LABEL_EXPRESSION, Sheet
from payoff.plan.report.figures import entries, finite, pick, words

_LOG_FROM = 12.0
_FLOOR = 0.28


@dataclass(frozen=True, slots=True)
class Point:
    """One plan in the picture: money a month, and what it is.

    ``below`` holds the true profit of a plan so far under the others that it is drawn at the
    lower edge.

    Example:
        >>> Point("bag-of-words", 90.0, 410.0, None, None, False, False).profit
        410.0
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
    """The plans with cost and profit known; ``best`` are those on the frontier.

    Example:
        >>> plan = {"name": "a", "cost_month": 2, "profit_month": {"mean": 5}}
        >>> points_of({"plans": [plan, plan | {"cost_month": 3}]})[1].best
        False
    """
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


def lifted(points: Sequence[Point]) -> tuple[list[Point], tuple[float, float]]:
    """The points with those far below drawn at the edge, and the ends of the profit axis.

    Example:
        >>> far = Point("people", 9.0, -500.0, None, None, False, True)
        >>> near = Point("model", 1.0, 100.0, None, None, True, False)
        >>> lifted([near, far])[0][1].below
        -500.0
    """
    high = max(0.0, *(p.profit for p in points))
    lowest = min(0.0, *(p.profit for p in points))
    floor = -_FLOOR * high if high > 0 else lowest
    if lowest >= floor:
        room = 0.07 * ((high - lowest) or 1.0)
        return list(points), (lowest - room, high + 2 * room)
    room = 0.07 * (high - floor)
    # The lower edge leaves room for a label under the arrows.
    kept = [p if p.profit >= floor else replace(p, profit=floor, below=p.profit) for p in points]
    return kept, (floor - room, high + 2 * room)


@dataclass(frozen=True, slots=True)
class CostAxis:
    """The cost axis: linear, or logarithmic above the smallest cost and linear below it.

    Example:
        >>> CostAxis(0.0, 100.0, None).at(25.0)
        0.25
    """

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
    """Logarithmic where the costs span more than a factor of twelve, linear otherwise.

    Example:
        >>> points = [Point("p", cost, 1.0, None, None, False, False) for cost in (1.0, 90.0)]
        >>> cost_axis(points).constant
        1.0
    """
    costs = [p.cost for p in points]
    positive = [c for c in costs if c > 0]
    high = max(costs, default=0.0)
    high = high if high > 1e-9 else 1.0
    if positive and high / min(positive) > _LOG_FROM:
        constant = max(min(positive), high * 1e-6)
        return CostAxis(0.0, high * 1.6, constant)
    return CostAxis(0.0, high * 1.12, None)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where costs and profits stand in the picture, in pixels from the top left.

    Args:
        axis: The cost axis.
        low: Profit at the lower edge.
        high: Profit at the upper edge.
        width: Width in pixels.
        height: Height in pixels.

    Example:
        >>> Frame(CostAxis(0.0, 10.0, None), 0.0, 8.0, 100.0, 40.0).down(6.0)
        10.0
    """

    axis: CostAxis
    low: float
    high: float
    width: float
    height: float

    def across(self, cost: float) -> float:
        """Pixels from the left edge."""
        return self.axis.at(cost) * self.width

    def down(self, profit: float) -> float:
        """Pixels from the upper edge."""
        return (self.high - profit) / (self.high - self.low) * self.height


def scales(
    frame: Frame, sheet: Sheet, *, x_title: str, y_title: str, y_ticks: int
) -> tuple[Any, Any]:
    """The two encodings of a drawing of money against cost, for fields ``x`` and ``y``.

    Example:
        >>> frame = Frame(CostAxis(0.0, 9.0, None), 0.0, 5.0, 300, 200)
        >>> scales(frame, Sheet(), x_title="cost", y_title="profit", y_ticks=4)[0].shorthand
        'x:Q'
    """
    import altair as alt

    axis = frame.axis
    kind: dict[str, Any] = {"type": "linear"}
    if axis.constant is not None:
        kind = {"type": "symlog", "constant": axis.constant}
    x_form = alt.Axis(
        title=sheet.put(x_title),
        values=axis.ticks(frame.width),
        grid=False,
        labelExpr=LABEL_EXPRESSION,
    )
    y_form = alt.Axis(
        title=sheet.put(y_title),
        titleAngle=0,
        titleAlign="left",
        titleX=-44,
        titleY=-8,
        titleBaseline="bottom",
        tickCount=y_ticks,
        labelExpr=LABEL_EXPRESSION,
    )
    x_scale = alt.Scale(domain=[axis.low, axis.high], nice=False, **kind)
    y_scale = alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)
    return alt.X("x:Q", scale=x_scale, axis=x_form), alt.Y("y:Q", scale=y_scale, axis=y_form)
