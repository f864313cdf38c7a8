"""The confusion matrix in money: blue earns, orange loses.

With many classes only those that lose most stand on their own. The others share one row and one
column without colour, as sums of right and wrong answers; a phone's picture leaves them out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.confusions import HANDOFF, Cell, cells_of
from payoff.plan.report.charts.sheet import Sheet, rows_data
from payoff.plan.report.figures import compact, pick
from payoff.plan.report.theme import N_SHADES

MOST_WIDE, MOST_NARROW = 16, 7


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is shown: names of rows and columns, the money between them, and what was folded.

    Example:
        >>> Matrix(("a",), ("a", "handoff"), {(0, 0): 3.0, (0, 1): -4.0}, 0).largest
        4.0
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    money: Mapping[tuple[int, int], float | None]
    n_folded: int

    def summed(self, row: int, column: int) -> bool:
        """Whether a cell sums over folded classes."""
        rest = f"{self.n_folded} others"
        return bool(self.n_folded) and rest in (self.rows[row], self.columns[column])

    @property
    def largest(self) -> float:
        """The largest absolute amount of a cell of its own, 0 where none is known."""
        own = (m for place, m in self.money.items() if m is not None and not self.summed(*place))
        return max((abs(m) for m in own), default=0.0)

    def colour(self, row: int, column: int) -> str:
        """The role of a cell's colour."""
        money = self.money.get((row, column))
        return "var(--rule)" if self.summed(row, column) else shade(money, self.largest)


def folded(
    summary: Mapping[str, Any], most: int = MOST_WIDE, *, with_others: bool = True
) -> Matrix | None:
    """The matrix with all but the ``most`` classes that lose most folded into one, or left out.

    Example:
        >>> held = {"labels": ["a"], "actions": ["a"], "money": [[3]]}
        >>> folded({"confusion": held}).money
        {(0, 0): 3.0}
    """
    cells = cells_of(summary)
    labels = [str(label) for label in pick(summary, "confusion", "labels") or ()]
    actions = [str(action) for action in pick(summary, "confusion", "actions") or ()]
    if not cells or all(cell.money is None for cell in cells):
        return None
    kept = labels if len(labels) <= most else _losing_most(cells, labels)[: most - 1]
    n_folded = len(labels) - len(kept)
    others = (f"{n_folded} others",) if n_folded and with_others else ()
    rows = (*kept, *others)
    columns = (*(k for k in kept if k in actions), *others, *((HANDOFF,) * (HANDOFF in actions)))
    if not columns:
        return None
    return Matrix(rows, columns, _summed(cells, rows, columns, others), n_folded)


def _losing_most(cells: list[Cell], labels: list[str]) -> list[str]:
    lost: dict[str, float] = defaultdict(float)
    for cell in cells:
        if cell.wrong and cell.money is not None and cell.money < 0:
            lost[cell.truth] -= cell.money
            lost[cell.action] -= cell.money
    return sorted(labels, key=lambda label: -lost[label])


def _summed(
    cells: list[Cell], rows: tuple[str, ...], columns: tuple[str, ...], others: tuple[str, ...]
) -> dict[tuple[int, int], float | None]:
    row_of = {name: index for index, name in enumerate(rows)}
    column_of = {name: index for index, name in enumerate(columns)}
    rest = others[0] if others else ""
    money: dict[tuple[int, int], float | None] = {}
    for cell in cells:
        row = row_of.get(cell.truth, row_of.get(rest))
        column = column_of.get(cell.action, column_of.get(rest))
        if row is None or column is None:
            continue
        known = money.get((row, column))
        both = None if known is None else known + (cell.money or 0.0)
        money[row, column] = cell.money if known is None else both
    return money


def shade(money: float | None, largest: float) -> str:
    """The role of a cell's colour: the square root of its share of the largest, in four steps.

    Example:
        >>> shade(-4.0, 100.0), shade(100.0, 100.0), shade(0.0, 100.0), shade(None, 1.0)
        ('var(--loss-1)', 'var(--gain-4)', 'var(--card)', 'var(--rule)')
    """
    if money is None:
        return "var(--rule)"
    if not money or not largest:
        return "var(--card)"
    step = min(N_SHADES, max(1, math.ceil(math.sqrt(abs(money) / largest) * N_SHADES - 1e-9)))
    return f"var(--{'gain' if money > 0 else 'loss'}-{step})"


def draw_heat_map(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Truth in rows, actions in columns, money in colour and, where it fits, in figures.

    Example:
        >>> draw_heat_map({}, Sheet()) is None
        True
    """
    import altair as alt

    most = MOST_NARROW if sheet.narrow else MOST_WIDE
    matrix = folded(summary, most, with_others=not sheet.narrow)
    if matrix is None:
        return None
    limit = 9.0 if sheet.narrow else 13.0
    label_px = max(min(sheet.text_px(name), limit * 12.5) for name in matrix.rows) * 1.06 + 12
    plot_px = sheet.width - label_px - (22 if sheet.narrow else 30)
    cell_px = plot_px / len(matrix.columns)
    row_px = min(max(cell_px, 24.0), 44.0)
    layers = [_cells(matrix), *_figures(matrix, sheet, cell_px)]
    layers += _names(matrix, sheet, limit, cell_px)
    height = row_px * len(matrix.rows)
    return sheet.svg(alt.layer(*layers).properties(width=plot_px, height=height))


def _x(matrix: Matrix) -> Any:
    import altair as alt

    domain = [0, len(matrix.columns)]
    return alt.X("x:Q", scale=alt.Scale(domain=domain, nice=False), axis=None)


def _y(matrix: Matrix) -> Any:
    import altair as alt

    scale = alt.Scale(domain=[0, len(matrix.rows)], nice=False, reverse=True)
    return alt.Y("y:Q", scale=scale, axis=None)


def _cells(matrix: Matrix) -> Any:
    import altair as alt

    values = [
        {"x": c, "x2": c + 1, "y": r, "y2": r + 1, "colour": matrix.colour(r, c)}
        for r, c in sorted(matrix.money)
    ]
    mark = alt.Chart(rows_data(values)).mark_rect(stroke="var(--paper)", strokeWidth=2)
    fill = alt.Fill("colour:N", scale=None)
    return mark.encode(x=_x(matrix), x2=alt.X2("x2:Q"), y=_y(matrix), y2=alt.Y2("y2:Q"), fill=fill)


def _figures(matrix: Matrix, sheet: Sheet, cell_px: float) -> list[Any]:
    import altair as alt

    font_px = 9.5 if cell_px < 44 else 12.0

    def short(money: float | None) -> str:
        fits = sheet.text_px(compact(money), font_px) <= cell_px - 2
        return compact(money if fits or money is None else float(f"{money:.2g}"))

    if max(sheet.text_px(short(m), font_px) for m in matrix.money.values()) > cell_px:
        return []
    values = [
        {
            "x": c + 0.5,
            "y": r + 0.5,
            "text": sheet.put(short(money)),
            "colour": "var(--on-strong)"
            if matrix.colour(r, c).endswith(f"-{N_SHADES})")
            else "var(--ink)",
        }
        for (r, c), money in matrix.money.items()
        if money != 0
    ]
    mark = alt.Chart(rows_data(values)).mark_text(fontSize=font_px, baseline="middle")
    colour = alt.Color("colour:N", scale=None)
    return [mark.encode(x=_x(matrix), y=_y(matrix), text=alt.Text("text:N"), color=colour)]


def _names(matrix: Matrix, sheet: Sheet, limit: float, cell_px: float) -> list[Any]:
    import altair as alt

    rows = [{"y": r + 0.5, "text": sheet.put(n, limit)} for r, n in enumerate(matrix.rows)]
    left = alt.Chart(rows_data(rows)).mark_text(align="right", baseline="middle")
    flat = all(sheet.text_px(name) * 1.08 < cell_px - 6 for name in matrix.columns)
    columns = [{"x": c + 0.5, "text": sheet.put(n, limit)} for c, n in enumerate(matrix.columns)]
    below = alt.Chart(rows_data(columns)).mark_text(
        angle=0 if flat else 310,
        align="center" if flat else "right",
        baseline="top" if flat else "middle",
        yOffset=10,
    )
    return [
        left.encode(x=alt.value(-10), y=_y(matrix), text=alt.Text("text:N")),
        below.encode(x=_x(matrix), y=alt.value("height"), text=alt.Text("text:N")),
    ]
