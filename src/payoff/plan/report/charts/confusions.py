"""What each kind of answer earns and costs, and the confusions that cost most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.lettering import cut
from payoff.plan.report.charts.rows import Bar, Row, draw_rows
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.figures import finite, pick, quantity

HANDOFF = "handoff"
MOST = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of answer: the truth, what was done, how often, and the money a month.

    Example:
        >>> Cell("card", "refund", 2, -9.0).wrong, Cell("card", "handoff", 1, -2.0).wrong
        (True, False)
    """

    truth: str
    action: str
    count: float | None
    money: float | None

    @property
    def wrong(self) -> bool:
        """Whether it acted, and on the wrong label."""
        return self.action not in (self.truth, HANDOFF)


def cells_of(summary: Mapping[str, Any]) -> list[Cell]:
    """Every cell of the confusion matrix; empty where there is none or it is misshapen.

    Example:
        >>> cells_of({"confusion": {"labels": ["a"], "actions": ["a"], "money": [[3]]}})
        [Cell(truth='a', action='a', count=None, money=3.0)]
    """
    labels, actions = (_names(summary, key) for key in ("labels", "actions"))
    money, counts = pick(summary, "confusion", "money"), pick(summary, "confusion", "counts")
    if not labels or not actions or not isinstance(money, list | tuple):
        return []
    cells = []
    for row, truth in enumerate(labels):
        figures = (_row(matrix, row, len(actions)) for matrix in (counts, money))
        cells += [Cell(truth, *held) for held in zip(actions, *figures, strict=True)]
    return cells


def dearest(summary: Mapping[str, Any], n: int = MOST) -> list[Cell]:
    """The ``n`` wrong answers that lose most money, dearest first.

    Example:
        >>> held = {"labels": ["a"], "actions": ["a", "b"], "money": [[3, -2]]}
        >>> [cell.action for cell in dearest({"confusion": held})]
        ['b']
    """
    losing = [c for c in cells_of(summary) if c.wrong and c.money is not None and c.money < 0]
    return sorted(losing, key=lambda cell: cell.money or 0.0)[:n]


def draw_dearest(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """The dearest confusions as ranked bars; None where none costs money.

    Example:
        >>> draw_dearest({}, Sheet()) is None
        True
    """
    cells = dearest(summary)
    limit = 12.0 if sheet.narrow else 14.0
    rows = [
        Row(
            f"{cut(cell.truth, limit)} → {cut(cell.action, limit)}",
            (Bar(0.0, abs(cell.money or 0.0), "var(--loss)", quantity(cell.money)),),
        )
        for cell in cells
    ]
    return draw_rows(sheet, rows) if rows else None


def _names(summary: Mapping[str, Any], key: str) -> list[str]:
    found = pick(summary, "confusion", key)
    return [str(name) for name in found] if isinstance(found, list | tuple) else []


def _row(matrix: Any, row: int, n: int) -> list[float | None]:
    try:
        held = list(matrix[row])
    except (IndexError, TypeError, KeyError):
        held = []
    return [finite(value) for value in (held + [None] * n)[:n]]
