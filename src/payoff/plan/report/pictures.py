"""The pictures of a report, for the page and on their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from payoff.core.extras import require
from payoff.core.files import write_bytes
from payoff.plan.report.charts.cascade import draw_cascade
from payoff.plan.report.charts.cash import draw_cash
from payoff.plan.report.charts.confusions import draw_dearest
from payoff.plan.report.charts.frontier import draw_frontier
from payoff.plan.report.charts.heat_map import draw_heat_map
from payoff.plan.report.charts.label_curve import draw_label_curve
from payoff.plan.report.charts.market import draw_market
from payoff.plan.report.charts.reliability import draw_reliability
from payoff.plan.report.charts.segment_map import svg_with_segments
from payoff.plan.report.charts.sheet import FONT, Sheet
from payoff.plan.report.charts.sizes import draw_sizes
from payoff.plan.report.charts.timeline import draw_timeline
from payoff.plan.report.charts.tornado import draw_tornado
from payoff.plan.report.charts.waterfall import draw_waterfall
from payoff.plan.report.theme import THEMES, coloured

Draw = Callable[[Mapping[str, Any], Sheet], str | None]

PICTURES: Mapping[str, Draw] = MappingProxyType(
    {
        "waterfall": draw_waterfall,
        "frontier": draw_frontier,
        "cascade": draw_cascade,
        "sizes": draw_sizes,
        "cash": draw_cash,
        "dearest": draw_dearest,
        "heat_map": draw_heat_map,
        "reliability": draw_reliability,
        "tornado": draw_tornado,
        "label_curve": draw_label_curve,
        "market": draw_market,
        "timeline": draw_timeline,
    }
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture twice, for a desk and for a phone; colours are roles of the theme.

    Args:
        wide: SVG for a desk.
        narrow: SVG for a phone, 350 pixels wide.

    Example:
        >>> Picture("<svg/>", "<svg/>").wide
        '<svg/>'
    """

    wide: str
    narrow: str


def picture(name: str, summary: Mapping[str, Any]) -> Picture | None:
    """Draw one picture; None where the summary lacks its figures.

    Raises:
        MachineError: PF803 where altair or vl-convert is not installed.

    Example:
        >>> picture("waterfall", {}) is None
        True
    """
    _need_tools()
    wide = PICTURES[name](summary, Sheet())
    narrow = None if wide is None else PICTURES[name](summary, Sheet(narrow=True))
    return None if wide is None or narrow is None else Picture(wide, narrow)


def save(
    name: str, summary: Mapping[str, Any], path: Path, *, theme: str = "light", narrow: bool = False
) -> Path:
    """Write one picture on its own, as SVG or PNG by the ending of ``path``.

    Args:
        name: One of `PICTURES`, such as ``"frontier"``.
        summary: The run's summary, as for `payoff.plan.report.render.render`.
        path: Where to write; ends with ``.svg`` or ``.png``.
        theme: ``"light"`` or ``"dark"``.
        narrow: Draw the phone's variant.

    Raises:
        ValueError: Where the ending is another one or the summary lacks the picture's figures.
        MachineError: PF803 where altair or vl-convert is not installed, PF801 or PF802 where the
            file cannot be written.

    Example:
        >>> save("cash", {}, Path("cash.gif"))
        Traceback (most recent call last):
        ...
        ValueError: cash.gif: the ending must be .svg or .png
    """
    if path.suffix not in (".svg", ".png"):
        raise ValueError(f"{path.name}: the ending must be .svg or .png")
    _need_tools()
    drawn = PICTURES[name](summary, Sheet(narrow=narrow))
    if drawn is None:
        raise ValueError(f"the summary lacks the figures of the picture '{name}'")
    svg = standing_alone(drawn, theme)
    if path.suffix == ".svg":
        write_bytes(path, svg.encode("utf-8"))
    else:
        import vl_convert

        write_bytes(path, vl_convert.svg_to_png(svg, scale=2))
    return path


def standing_alone(drawn: str, theme: str) -> str:
    """The drawing with an address, a ground, a margin and a font of its own."""
    head, _, rest = drawn.partition(">")
    left, top, width, height = (float(side) for side in head.split('"')[1].split())
    margin = 20
    box = (left - margin, top - margin, width + 2 * margin, height + 2 * margin)
    x, y, w, h = (f"{side:g}" for side in box)
    font = FONT.replace('"', "'")
    ground = f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{THEMES[theme]["paper"]}"/>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
        f'viewBox="{x} {y} {w} {h}" font-family="{font}">{ground}{rest}'
    )
    # An image renderer takes the first font it has and then any that holds the sign: name it.
    svg = re.sub(
        r"<text (?=[^>]*>[^<]*[\u2e80-\uffef])",
        "<text font-family=\"'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif\" ",
        svg,
    )
    return coloured(svg_with_segments(svg, theme), theme)


def _need_tools() -> None:
    for module in ("altair", "vl_convert"):
        require(module, "tune", "the pictures of a report")
