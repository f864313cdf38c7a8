"""The forms of a model by their size and what they lose, and the chosen one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.names import Named, name_layers
from payoff.plan.report.charts.placing import Spot, place_labels
from payoff.plan.report.charts.sheet import LABEL_PX, Sheet, rows_data
from payoff.plan.report.figures import entries, finite, words

_MB = 1e6
_FEW = 20
"""Forms up to which all may have their names; of more, those that no other is better than."""
_TICKS = [m * 10.0**e for e in range(-1, 4) for m in (1, 2, 5)]


@dataclass(frozen=True, slots=True)
class Form:
    """One form in the picture: megabytes, points lost against the whole model, and its standing.

    Example:
        >>> Form("int8", 23.1, 0.2, "chosen").is_best
        True
    """

    name: str
    mb: float
    lost: float
    status: str

    @property
    def is_best(self) -> bool:
        """Whether no other form is better in everything."""
        return self.status in ("chosen", "on the frontier")


def forms_of(summary: Mapping[str, Any]) -> list[Form]:
    """The forms of the section ``compression`` whose figures are known.

    Example:
        >>> form = {"model": "m", "way": "int8", "size_bytes": 2e6, "lost": 0.1, "status": "chosen"}
        >>> forms_of({"compression": {"forms": [form]}})
        [Form(name='int8', mb=2.0, lost=0.1, status='chosen')]
    """
    told = entries(summary, "compression", "forms")
    whole = words(told[0].get("model")) if told else ""
    found = []
    for form in told:
        size, lost = finite(form.get("size_bytes")), finite(form.get("lost"))
        if size is None or lost is None or size <= 0:
            continue
        model, way = words(form.get("model")), words(form.get("way"))
        way = "as trained" if way == "fp32" else way
        name = way if model == whole else f"{model}, {way}"
        found.append(Form(name, size / _MB, lost, words(form.get("status"))))
    return found


def draw_sizes(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Forms as points, the smaller to the left, the better up; names where there is room.

    Example:
        >>> draw_sizes({}, Sheet()) is None
        True
    """
    import altair as alt

    forms = forms_of(summary)
    if not forms:
        return None
    width, height = (292, 330) if sheet.narrow else (710, 400)
    low, high = _ends([form.mb for form in forms])
    least, most = min(form.lost for form in forms), max(form.lost for form in forms)
    room = 0.12 * max(most - least, 0.5)
    top, bottom = min(least, 0.0) - room, max(most, 0.0) + room
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    if sheet.narrow and len(ticks) > 4:
        ticks = [tick for tick in ticks if math.log10(tick) % 1 == 0] or ticks[:4]
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(title="MB of the artifact", values=ticks, grid=False, format="~g"),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[bottom, top], nice=False),
        axis=alt.Axis(title="points of accuracy lost", tickCount=5, format="~g"),
    )

    def across(mb: float) -> float:
        return width * math.log(mb / low) / math.log(high / low)

    def down(lost: float) -> float:
        return height * (lost - top) / (bottom - top)

    zero = alt.Chart(rows_data([{"y": 0}])).mark_rule(color="var(--quiet)").encode(y=y)
    spots = [Spot(across(f.mb), down(f.lost), 0.0) for f in forms]
    layers = [zero, _dots(forms, x, y), *_names(forms, spots, sheet, (width, height), x, y)]
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _ends(sizes: Sequence[float]) -> tuple[float, float]:
    return 0.7 * min(sizes), 1.5 * max(sizes)


def _dots(forms: Sequence[Form], x: Any, y: Any) -> Any:
    import altair as alt

    values = [
        {
            "x": form.mb,
            "y": form.lost,
            "line": "var(--gain)" if form.is_best else "var(--quiet)",
            "fill": "var(--gain)" if form.status == "chosen" else "var(--card)",
            "size": 150 if form.status == "chosen" else 80,
        }
        for form in sorted(forms, key=lambda form: (form.status == "chosen", form.is_best))
    ]
    return (
        alt.Chart(rows_data(values))
        .mark_point(opacity=1, strokeWidth=2)
        .encode(
            x=x,
            y=y,
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("line:N", scale=None),
            size=alt.Size("size:Q", scale=None),
        )
    )


def _names(
    forms: Sequence[Form],
    spots: Sequence[Spot],
    sheet: Sheet,
    frame: tuple[float, float],
    x: Any,
    y: Any,
) -> list[Any]:
    told = [n for n in range(len(forms)) if forms[n].is_best or len(forms) <= _FEW]
    chosen = next((n for n in told if forms[n].status == "chosen"), -1)
    order = sorted(
        told,
        key=lambda n: (n != chosen, not forms[n].is_best, forms[n].mb),
    )
    limit = 16.0 if sheet.narrow else 26.0
    widths = [min(sheet.text_px(forms[n].name), limit * LABEL_PX) * 1.1 + 4 for n in order]
    wanted = [Spot(spots[n].x, spots[n].y, w) for n, w in zip(order, widths, strict=True)]
    placed = zip(order, place_labels(wanted, frame[0] + 8, frame[1]), strict=True)
    named = [
        Named(forms[n].mb, forms[n].lost, sheet.put(forms[n].name, limit), place, n == chosen)
        for n, place in placed
        if place
    ]
    return name_layers(named, x, y)
