"""The map of segments as one HTML page that opens offline, with the table beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from payoff.plan.report.charts.segment_map import draw_segment_map, segment_roles
from payoff.plan.report.charts.sheet import FONT, Sheet
from payoff.plan.report.figures import pick, words
from payoff.plan.report.theme import css_variables

_STYLE = """
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--font)}
main{max-width:860px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 8px}
p{margin:0 0 16px}.soft{color:var(--soft);font-size:14px}
svg{width:100%;height:auto;display:block}.narrow{display:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin:0 0 20px}
th,td{padding:7px 10px;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}
th{color:var(--soft);font-weight:500}.right{text-align:right;white-space:nowrap}
@media(max-width:560px){.wide{display:none}.narrow{display:block}}
"""


def segment_page(summary: Mapping[str, Any]) -> str:
    """The page: heading, sentence, map, table. Texts are shown as they are, never as markup.

    Args:
        summary: ``title``, ``sentence``, ``notes``, ``map``, and ``table`` with ``columns``,
            ``rows`` and ``right``, the columns that are aligned to the right.

    Example:
        >>> "&lt;b&gt;" in segment_page({"sentence": "<b>"})
        True
    """
    pictures = [
        f'<div class="{kind}">{drawn}</div>'
        for kind, sheet in (("wide", Sheet()), ("narrow", Sheet(narrow=True)))
        if (drawn := draw_segment_map(summary, sheet)) is not None
    ]
    light = f"--font:{FONT};{css_variables('light')};{segment_roles('light')}"
    dark = f"color-scheme:dark;{css_variables('dark')};{segment_roles('dark')}"
    notes = "".join(f'<p class="soft">{escape(str(note))}</p>' for note in summary.get("notes", ()))
    title = escape(words(summary.get("title"), missing="Segments"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>:root{{{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>"
        f"<p>{escape(words(summary.get('sentence'), missing=''))}</p>"
        f"{''.join(pictures)}{_table(summary)}{notes}</main></body></html>\n"
    )


def _table(summary: Mapping[str, Any]) -> str:
    columns, rows = pick(summary, "table", "columns") or (), pick(summary, "table", "rows") or ()
    right = set(pick(summary, "table", "right") or ())
    sides = [' class="right"' if column in right else "" for column in columns]
    head = "".join(f"<th{s}>{escape(c)}</th>" for s, c in zip(sides, columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{s}>{escape(c)}</td>" for s, c in zip(sides, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>' if columns else ""
