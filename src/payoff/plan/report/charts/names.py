"""Names beside points: where `placing` put them, the chosen one bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.placing import Place
from payoff.plan.report.charts.sheet import rows_data


@dataclass(frozen=True, slots=True)
class Named:
    """A point of a picture with its name.

    Args:
        x: In the units of the picture's axis.
        y: The same.
        text: As the sheet put it.
        place: Where the name stands beside the point.
        chosen: Whether it is the one that was taken.
    """

    x: float
    y: float
    text: str
    place: Place
    chosen: bool


def name_layers(named: Sequence[Named], x: Any, y: Any) -> list[Any]:
    """Layers of a chart with the names, the chosen ones on top.

    Args:
        named: Points.
        x: The picture's horizontal channel, of the field ``x``.
        y: Its vertical channel, of the field ``y``.

    Example:
        >>> name_layers([], None, None)
        []
    """
    import altair as alt

    layers = []
    for chosen in (False, True):
        shown = [
            {
                "x": one.x,
                "y": one.y,
                "text": one.text,
                "dx": one.place.dx,
                "dy": one.place.dy,
                "align": one.place.align,
            }
            for one in named
            if one.chosen is chosen
        ]
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
