"""How far stated confidence may be believed, before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.charts.sheet import Sheet, rows_data
from payoff.plan.report.figures import entries, finite

_STYLES = {"before": ("var(--quiet)", "square"), "after": ("var(--gain)", "circle")}


def bins_of(summary: Mapping[str, Any], when: str) -> list[dict[str, float]]:
    """The non-empty bins ``before`` or ``after``: confidence, accuracy, count and its share.

    Example:
        >>> held = {"confidence": 0.9, "accuracy": 0.8, "n": 5}
        >>> bins_of({"calibration": {"after": [held]}}, "after")
        [{'confidence': 0.9, 'accuracy': 0.8, 'n': 5.0, 'share': 1.0}]
    """
    found = []
    for entry in entries(summary, "calibration", when):
        figures = {key: finite(entry.get(key)) for key in ("confidence", "accuracy", "n")}
        known = {key: figure for key, figure in figures.items() if figure is not None}
        if len(known) == 3 and known["n"] > 0:
            found.append(known)
    total = sum(entry["n"] for entry in found)
    return [entry | {"share": entry["n"] / total} for entry in found]


def draw_reliability(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Accuracy against confidence; dots as large as their share of the answers.

    Example:
        >>> draw_reliability({}, Sheet()) is None
        True
    """
    import altair as alt

    drawn = {when: bins_of(summary, when) for when in _STYLES}
    if not any(drawn.values()):
        return None
    side = sheet.width - 78 if sheet.narrow else 400
    scale = alt.Scale(domain=[0, 1], nice=False)
    form: dict[str, Any] = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="stated confidence", grid=False, **form))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="share that was right", **form))
    ideal = alt.Chart(rows_data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    layers: list[Any] = [
        ideal.mark_line(color="var(--soft)", strokeDash=[2, 4], strokeWidth=1).encode(x=x, y=y)
    ]
    for when, bins in drawn.items():
        layers += _curve(bins, when, x, y) if bins else []
    return sheet.svg(alt.layer(*layers).properties(width=side, height=side * 0.82))


def _curve(bins: list[dict[str, float]], when: str, x: Any, y: Any) -> list[Any]:
    import altair as alt

    colour, shape = _STYLES[when]
    values = [
        {"x": b["confidence"], "y": b["accuracy"], "size": 24 + 420 * b["share"]} for b in bins
    ]
    base = alt.Chart(rows_data(values))
    dots = base.mark_point(
        shape=shape,
        fill=colour if when == "after" else "var(--card)",
        stroke=colour,
        strokeWidth=1.5,
        opacity=1,
    )
    return [
        base.mark_line(color=colour, strokeWidth=1.5).encode(x=x, y=y),
        dots.encode(x=x, y=y, size=alt.Size("size:Q", scale=None)),
    ]
