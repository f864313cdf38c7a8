"""What requests are worth against what asking models about them costs, and the chosen point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.placing import Box, Spot, place_labels
from payoff.plan.report.charts.points import CostAxis, Frame, Point, cost_axis, scales
from payoff.plan.report.charts.sheet import LABEL_PX, Sheet, rows_data
from payoff.plan.report.figures import entries, finite, money, percent, pick, words

PER = 1000
"""Requests that the amounts are for."""

_NEARLY_ALL = 0.999  # share of the requests, read as all of them


@dataclass(frozen=True, slots=True)
class Asking:
    """One way to ask: money per 1,000 requests, the tiers, and the share that each answers.

    Example:
        >>> Asking(("words", "encoder"), 0.02, 2400.0, (0.8, 0.2), True).alone
        False
    """

    tiers: tuple[str, ...]
    cost: float
    worth: float
    shares: tuple[float, ...]
    chosen: bool

    @property
    def alone(self) -> bool:
        """Whether one model answers everything."""
        return len(self.tiers) == 1


def askings_of(summary: Mapping[str, Any]) -> list[Asking]:
    """The points of the section ``cascade`` whose figures are known, the cheapest first.

    Example:
        >>> point = {"tiers": ["words"], "cost": 0.001, "worth": 2, "shares": [1], "chosen": True}
        >>> askings_of({"cascade": {"points": [point]}})
        [Asking(tiers=('words',), cost=1.0, worth=2000.0, shares=(1.0,), chosen=True)]
    """
    found = []
    for entry in entries(summary, "cascade", "points"):
        cost, worth = finite(entry.get("cost")), finite(entry.get("worth"))
        names, shares = entry.get("tiers"), entry.get("shares")
        if cost is None or worth is None or not isinstance(names, list | tuple) or not names:
            continue
        known = [finite(share) for share in shares] if isinstance(shares, list | tuple) else []
        if len(known) != len(names) or None in known:
            continue
        found.append(
            Asking(
                tuple(words(name) for name in names),
                max(cost, 0.0) * PER,
                worth * PER,
                tuple(share or 0.0 for share in known),
                entry.get("chosen") is True,
            )
        )
    return sorted(found, key=lambda point: (point.cost, point.worth))


def read_cascade(summary: Mapping[str, Any]) -> str:
    """What to do: who is asked first, how often the next one, and what that saves.

    Where no cascade was chosen, the section's own sentence says why not.

    Example:
        >>> points = [{"tiers": ["words", "encoder"], "cost": 0.002, "worth": 2.5,
        ...            "shares": [0.8, 0.2], "chosen": True},
        ...           {"tiers": ["encoder"], "cost": 0.008, "worth": 2.4, "shares": [1]}]
        >>> read_cascade({"currency": "USD", "cascade": {"points": points}}).split(" about ")[0]
        'Ask “words” first and “encoder”'
    """
    points = askings_of(summary)
    chosen = next((point for point in points if point.chosen), None)
    sentence = pick(summary, "cascade", "sentence")
    if sentence and (chosen is None or chosen.alone):
        return words(sentence)
    if chosen is None:
        return "No cascade of models was measured."
    first, last = chosen.tiers[0], chosen.tiers[-1]
    if chosen.alone:
        return f"Ask “{first}” about every request: no other model is worth asking as well."
    reached = [sum(chosen.shares[place:]) for place in range(1, len(chosen.tiers))]
    steps = [
        f"“{name}” about {percent(share, 0)} of the requests"
        for name, share in zip(chosen.tiers[1:], reached, strict=True)
    ]
    advice = f"Ask “{first}” first and {', then '.join(steps)}"
    if min(reached) > _NEARLY_ALL:
        named = " and ".join(f"“{name}”" for name in chosen.tiers)
        advice = f"Ask {named} about every request and believe them together"
    rival = next((point for point in points if point.tiers == (last,)), None)
    if rival is None:
        return f"{advice}."
    unit = words(summary.get("currency"), missing="")
    gap = chosen.worth - rival.worth
    more = f"{money(abs(gap), unit)} {'more' if gap >= 0 else 'less'} than"
    share = f", at {percent(chosen.cost / rival.cost, 0)} of its cost" if rival.cost > 0 else ""
    return f"{advice}: per 1,000 requests that is worth {more} asking “{last}” about all{share}."


def draw_cascade(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Models alone as open dots, the cascade as a line of dots, the chosen one filled.

    Example:
        >>> draw_cascade({}, Sheet()) is None
        True
    """
    import altair as alt

    points = askings_of(summary)
    if not points:
        return None
    width, height = (292, 300) if sheet.narrow else (710, 360)
    low, high = (end([p.worth for p in points]) for end in (min, max))
    room = 0.12 * ((high - low) or abs(high) or 1.0)
    frame = Frame(_axis(points), low - room, high + room, width, height)
    unit = words(pick(summary, "cascade", "currency"), missing="")
    ending = f", {unit}" if unit else ""
    x, y = scales(
        frame,
        sheet,
        x_title=f"cost of asking, 1,000 requests{ending}",
        y_title=f"worth of 1,000 requests{ending}",
        y_ticks=4,
    )
    layers = [*_line(points, x, y), _dots(points, x, y), *_names(points, sheet, frame, x, y)]
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _axis(points: Sequence[Asking]) -> CostAxis:
    return cost_axis([Point("", p.cost, p.worth, None, None, p.chosen, False) for p in points])


def _line(points: Sequence[Asking], x: Any, y: Any) -> list[Any]:
    import altair as alt

    values = [{"x": p.cost, "y": p.worth} for p in points if not p.alone]
    mark = alt.Chart(rows_data(values)).mark_line(color="var(--gain-3)", strokeWidth=1.5)
    return [mark.encode(x=x, y=y)] if len(values) > 1 else []


def _dots(points: Sequence[Asking], x: Any, y: Any) -> Any:
    import altair as alt

    values = [
        {
            "x": p.cost,
            "y": p.worth,
            "fill": "var(--gain)" if p.chosen else "var(--card)",
            "line": "var(--quiet)" if p.alone and not p.chosen else "var(--gain)",
            "size": 150 if p.chosen else 80 if p.alone else 30,
        }
        for p in sorted(points, key=lambda p: p.chosen)
    ]
    mark = alt.Chart(rows_data(values)).mark_point(opacity=1, strokeWidth=2, shape="circle")
    return mark.encode(
        x=x,
        y=y,
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("line:N", scale=None),
        size=alt.Size("size:Q", scale=None),
    )


def _names(points: Sequence[Asking], sheet: Sheet, frame: Frame, x: Any, y: Any) -> list[Any]:
    """The names that have room, that of the chosen point first."""
    import altair as alt

    limit = 17.0 if sheet.narrow else 26.0
    named = sorted(
        (p for p in points if p.chosen or p.alone), key=lambda p: (not p.chosen, -p.worth)
    )
    names = [_name(p) for p in named]
    spots = [
        Spot(
            frame.across(p.cost),
            frame.down(p.worth),
            min(sheet.text_px(name), limit * LABEL_PX) * 1.1 + 4,
        )
        for p, name in zip(named, names, strict=True)
    ]
    dots = [(frame.across(p.cost), frame.down(p.worth)) for p in points if not p.alone]
    keep = [Box(left - 6, top - 6, left + 6, top + 6) for left, top in dots]
    places = place_labels(spots, frame.width + 8, frame.height, lines=keep)
    layers = []
    for p, name, place in zip(named, names, places, strict=True):
        if place is None:
            continue
        values = [{"x": p.cost, "y": p.worth, "text": sheet.put(name, limit)}]
        mark = alt.Chart(rows_data(values)).mark_text(
            align=alt.expr(f"'{place.align}'"),
            dx=place.dx,
            dy=place.dy,
            baseline="middle",
            fontWeight="bold" if p.chosen else "normal",
            color="var(--ink)" if p.chosen else "var(--soft)",
            stroke="var(--paper)",
            strokeWidth=4,
        )
        layers.append(mark.encode(x=x, y=y, text=alt.Text("text:N")))
    return layers


def _name(point: Asking) -> str:
    if point.alone:
        return f"chosen: {point.tiers[0]}" if point.chosen else point.tiers[0]
    return f"chosen: a cascade of {len(point.tiers)}"
