"""The map of segments: texts as dots where like stands near like, segments by colour and name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ProjectError
from payoff.core.extras import require
from payoff.core.files import write_bytes
from payoff.plan.report.charts.placing import Place, Spot, place_labels
from payoff.plan.report.charts.sheet import LABEL_PX, Sheet, rows_data
from payoff.plan.report.figures import entries, finite, pick, words

_MOST_DOTS: Final = 1500
_MOST_NAMES: Final = 20
_SHAPES: Final = ("circle", "square", "triangle-up", "diamond")
_EDGE: Final = 0.01
_MARGIN: Final = (0.14, 0.06)

# Hues in an order that colour-blind readers can tell apart; shapes change when they are used up.
_HUES = {
    "light": (
        *("#1f6a99", "#c8551b", "#2f7d54", "#8656a8"),
        *("#a67a00", "#c2437c", "#2a93a8", "#5b6470"),
    ),
    "dark": (
        *("#72b8e4", "#f0946e", "#74cf9c", "#c3a2ec"),
        *("#e3b65b", "#f08fbb", "#7fdbe8", "#b4bcc6"),
    ),
}
HUES: Mapping[str, tuple[str, ...]] = MappingProxyType(_HUES)
"""Colours of segments in each theme, as many in one as in the other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a segment looks.

    Args:
        colour: Its role, such as ``"var(--segment-1)"``.
        shape: Of its dots.

    Example:
        >>> Mark.of(0), Mark.of(8).shape
        (Mark(colour='var(--segment-1)', shape='circle'), 'square')
    """

    colour: str
    shape: str

    @classmethod
    def of(cls, rank: int) -> Mark:
        """The look of the segment of that rank; the first is 0."""
        turn, hue = divmod(rank, len(HUES["light"]))
        return cls(f"var(--segment-{hue + 1})", _SHAPES[turn % len(_SHAPES)])


def map_of(
    plane: NDArray[np.floating[Any]],
    codes: NDArray[np.int64],
    segments: list[dict[str, Any]],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """What `draw_segment_map` reads: a sample of the dots, and where each segment's middle is.

    Args:
        plane: Coordinates of the rows, shape ``(n, 2)``.
        codes: Segment of each row, an index into ``segments``, shape ``(n,)``.
        segments: ``{"name": …, "note": …}`` each; the note stands behind the name.
        seed: Of the sample.

    Example:
        >>> found = map_of(np.eye(2), np.array([0, 1]), [{"name": "a"}, {"name": "b"}])
        >>> found["segments"][1]["middle"], len(found["dots"])
        ([0.0, 1.0], 2)
    """
    rng = np.random.default_rng(seed)
    n = len(codes)
    shown = np.sort(rng.choice(n, _MOST_DOTS, replace=False)) if n > _MOST_DOTS else np.arange(n)
    named = []
    for s, segment in enumerate(segments):
        middle = np.median(plane[codes == s], axis=0)
        named.append({**segment, "middle": [float(at) for at in middle]})
    dots = [[float(plane[i, 0]), float(plane[i, 1]), int(codes[i])] for i in shown]
    return {"dots": dots, "segments": named, "n_rows": n}


def draw_segment_map(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Dots and names; the colours are roles that `segment_roles` and `save_map` fill in.

    Example:
        >>> draw_segment_map({}, Sheet()) is None
        True
    """
    import altair as alt

    segments = entries(summary, "map", "segments")
    dots = [dot for dot in pick(summary, "map", "dots") or () if _is_known(dot)]
    if not dots or not segments or not all(_is_known(one.get("middle")) for one in segments):
        return None
    places = np.array([[x, y] for x, y, _ in dots])
    codes = [int(code) for *_, code in dots]
    width, height = (330, 400) if sheet.narrow else (760, 520)
    frame = _Frame.around(places, width, height)
    marks = [Mark.of(rank) for rank in range(len(segments))]
    values = [
        {
            "x": frame.across(x),
            "y": frame.down(y),
            "colour": marks[code].colour,
            "shape": marks[code].shape,
        }
        for (x, y), code in zip(places, codes, strict=True)
    ]
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    looks = {
        "fill": alt.Fill("colour:N", scale=None),
        "shape": alt.Shape("shape:N", scale=None),
    }
    cloud = alt.Chart(rows_data(values)).mark_point(
        size=16 if sheet.narrow else 26, opacity=0.45, stroke="none"
    )
    layers = [cloud.encode(x=x, y=y, **looks), *_middles(segments, marks, frame, sheet, x, y)]
    return sheet.svg(alt.layer(*layers).properties(width=width, height=height))


def _is_known(place: Any) -> bool:
    """Whether all of a place's figures are there."""
    return isinstance(place, Sequence) and all(finite(figure) is not None for figure in place)


@dataclass(frozen=True, slots=True)
class _Frame:
    """From coordinates to pixels; what lies far out is drawn at the edge."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    width: float
    height: float

    @classmethod
    def around(cls, places: NDArray[np.float64], width: float, height: float) -> _Frame:
        low, high = np.quantile(places, [_EDGE, 1 - _EDGE], axis=0)
        span = np.where(high > low, high - low, 1.0)
        return cls(low - np.array(_MARGIN) * span, high + np.array(_MARGIN) * span, width, height)

    def across(self, x: float) -> float:
        share = (x - self.low[0]) / (self.high[0] - self.low[0])
        return round(float(np.clip(share, 0.005, 0.995)) * self.width, 2)

    def down(self, y: float) -> float:
        share = (y - self.low[1]) / (self.high[1] - self.low[1])
        return round((1 - float(np.clip(share, 0.005, 0.995))) * self.height, 2)


def _middles(
    segments: list[Mapping[str, Any]],
    marks: list[Mark],
    frame: _Frame,
    sheet: Sheet,
    x: Any,
    y: Any,
) -> list[Any]:
    """The middle of each segment as a strong dot, and its name where there is room."""
    import altair as alt

    limit = 16.0 if sheet.narrow else 26.0
    shown = segments[:_MOST_NAMES]
    at = [(frame.across(s["middle"][0]), frame.down(s["middle"][1])) for s in shown]
    names = [_label(segment) for segment in shown]
    places: list[Place | None] = []
    spots: list[Spot] = []
    for _ in range(2):  # a label that found no room is tried again without its note
        widths = [min(sheet.text_px(name), limit * LABEL_PX) * 1.08 + 6 for name in names]
        spots = [Spot(*place, width) for place, width in zip(at, widths, strict=True)]
        places = place_labels(spots, frame.width + 8, frame.height)
        names = [
            name if place else words(segment.get("name"), missing="?")
            for segment, name, place in zip(shown, names, places, strict=True)
        ]
    middles = [
        {"x": a, "y": b, "colour": mark.colour, "shape": mark.shape}
        for (a, b), mark in zip(at, marks, strict=False)
    ]
    labels = [
        {
            "x": spot.x,
            "y": spot.y,
            "text": sheet.put(name, limit),
            "dx": place.dx,
            "dy": place.dy,
            "align": place.align,
        }
        for spot, name, place in zip(spots, names, places, strict=True)
        if place
    ]
    strong = alt.Chart(rows_data(middles)).mark_point(
        size=110, opacity=1, stroke="var(--paper)", strokeWidth=2
    )
    text = alt.Chart(rows_data(labels)).mark_text(
        align=alt.expr("datum.align"),
        dx=alt.expr("datum.dx"),
        dy=alt.expr("datum.dy"),
        baseline="middle",
        fontWeight="bold",
        color="var(--ink)",
        stroke="var(--paper)",
        strokeWidth=4,
    )
    drawn = [
        strong.encode(
            x=x,
            y=y,
            fill=alt.Fill("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
        )
    ]
    # A text with an outline is drawn twice, the outline first, so that letters stay clear.
    return [*drawn, text.encode(x=x, y=y, text=alt.Text("text:N"))] if labels else drawn


def _label(segment: Mapping[str, Any]) -> str:
    name, note = words(segment.get("name"), missing="?"), words(segment.get("note"), missing="")
    return f"{name}  {note}" if note else name


def segment_roles(theme: str) -> str:
    """The colours of segments as CSS custom properties.

    Example:
        >>> segment_roles("light").split(";")[0]
        '--segment-1:#1f6a99'
    """
    return ";".join(f"--segment-{i}:{hue}" for i, hue in enumerate(HUES[theme], 1))


def save_map(
    summary: Mapping[str, Any], path: Path, *, theme: str = "light", narrow: bool = False
) -> Path:
    """Write the map on its own: SVG, PNG, or an HTML page with the table, by the ending.

    Args:
        summary: With ``map`` as `map_of` makes it; a page also reads ``sentence`` and ``rows``.
        path: Where to write; ends with ``.svg``, ``.png`` or ``.html``.
        theme: ``"light"`` or ``"dark"``; a page has both.
        narrow: Draw the phone's variant.

    Raises:
        ProjectError: PF290 where the ending is another one.
        MachineError: PF803 where altair or vl-convert is not installed; PF801 or PF802 where the
            file cannot be written.

    Example:
        >>> save_map({}, Path("map.gif"))
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF290 map.gif: a map cannot be written with that ending\
 (expected .svg, .png or .html).
    """
    check_ending(path)
    for module in ("altair", "vl_convert"):
        require(module, "tune", "the map of segments")
    if path.suffix == ".html":
        from payoff.plan.report.segment_page import segment_page

        write_bytes(path, segment_page(summary).encode("utf-8"))
        return path
    from payoff.plan.report.pictures import standing_alone

    drawn = draw_segment_map(summary, Sheet(narrow=narrow))
    svg = standing_alone(drawn or "", theme)
    if path.suffix == ".png":
        import vl_convert

        write_bytes(path, vl_convert.svg_to_png(svg, scale=2))
    else:
        write_bytes(path, svg.encode("utf-8"))
    return path


def check_ending(path: Path) -> None:
    """Refuse an ending that cannot be written, before any work is done (PF290).

    Example:
        >>> check_ending(Path("map.png"))
    """
    if path.suffix not in (".svg", ".png", ".html"):
        raise ProjectError(
            "PF290",
            path.name,
            "a map cannot be written with that ending",
            expected=".svg, .png or .html",
        )


def svg_with_segments(svg: str, theme: str) -> str:
    """An SVG with the roles of segments replaced by the colours of a theme.

    Example:
        >>> svg_with_segments('<path fill="var(--segment-1)"/>', "light")
        '<path fill="#1f6a99"/>'
    """
    return re.sub(r"var\(--segment-([0-9]+)\)", lambda found: HUES[theme][int(found[1]) - 1], svg)
