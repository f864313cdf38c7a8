"""The sheet that a picture is drawn on: its width, its words, and the way to SVG."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from payoff.plan.report.charts.lettering import Lettering, width_em

if TYPE_CHECKING:
    import altair as alt

FONT = (
    '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", "Noto Sans", '
    '"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif'
)
LABEL_PX = 12.5
HALO = 'stroke="var(--paper)" stroke-width="4"'
LABEL_EXPRESSION = (
    "replace(abs(datum.value) < 1 && datum.value != 0 ? format(datum.value, '~r')"
    " : format(datum.value, '~s'), '-', '\N{MINUS SIGN}')"
)

_CONFIG: dict[str, Any] = {
    "aria": False,
    "font": "Liberation Sans",
    "view": {"stroke": None},
    "text": {"fontSize": LABEL_PX, "color": "var(--ink)"},
    "axis": {
        "domain": False,
        "ticks": False,
        "labelFontSize": LABEL_PX,
        "labelColor": "var(--soft)",
        "labelLimit": 0,
        "labelPadding": 8,
        "labelFlush": False,
        "titleFontSize": LABEL_PX,
        "titleFontWeight": "normal",
        "titleColor": "var(--soft)",
        "titlePadding": 10,
        "titleLimit": 0,
        "gridColor": "var(--rule)",
    },
}


class Sheet:
    """What the pictures share: a width in pixels, their words, and the finish.

    Args:
        narrow: Drawn for a phone rather than for a desk.

    Example:
        >>> Sheet().width, Sheet(narrow=True).width
        (780, 350)
    """

    def __init__(self, *, narrow: bool = False) -> None:
        self.narrow = narrow
        self.width = 350 if narrow else 780
        self._lettering = Lettering()

    def put(self, text: Any, limit_em: float = 60.0) -> str:
        """A stand-in for a text of the user or of ours; see `Lettering`."""
        return self._lettering.put(str(text), limit_em)

    def text_px(self, text: str, font_px: float = LABEL_PX) -> float:
        """About how many pixels wide a text is."""
        return width_em(text) * font_px

    def svg(self, chart: alt.LayerChart | alt.FacetChart) -> str:
        """Draw: an ``<svg>`` without outer address, font or fixed size, fit to stand in a page."""
        import vl_convert

        spec = chart.to_dict(validate=False)
        spec["config"] = _CONFIG
        spec["background"] = None
        spec["padding"] = {"left": 2, "right": 2, "top": 4, "bottom": 4}
        drawn = vl_convert.vegalite_to_svg(spec)
        drawn = re.sub(r'^<svg [^>]*viewBox="([^"]*)">', r'<svg viewBox="\1">', drawn)
        drawn = re.sub(r' font-family="[^"]*"', "", drawn)
        drawn = re.sub(r' (pointer-events="none"|aria-hidden="true"|role="[^"]*")', "", drawn)
        drawn = re.sub(r' (class="[^"]*"|aria-roledescription="[^"]*")', "", drawn)
        # A text with an outline is drawn outline first, as a halo against the lines behind it.
        drawn = drawn.replace(HALO, HALO + ' paint-order="stroke" stroke-linejoin="round"')
        return self._lettering.restore(drawn)


def rows_data(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Rows as the data of a chart, written into it.

    They go in as one JSON text, since altair copies and compares lists value by value.

    Example:
        >>> rows_data([{"x": 1}]).to_dict()["values"]
        '[{"x": 1}]'
    """
    import altair as alt

    return alt.InlineData(values=json.dumps(rows), format={"type": "json"})
