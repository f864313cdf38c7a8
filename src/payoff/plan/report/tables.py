"""The figures behind each picture, for readers who do not see it or want to copy them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.confusions import dearest
from payoff.plan.report.charts.heat_map import folded
from payoff.plan.report.charts.label_curve import line_of, points_of
from payoff.plan.report.charts.market import COLUMNS, market_rows
from payoff.plan.report.charts.tornado import drivers_of, input_text
from payoff.plan.report.figures import (
    amount,
    entries,
    finite,
    number,
    percent,
    pick,
    quantity,
    words,
)

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Names of columns, and rows whose first text names the row.

    Example:
        >>> Table(("Step", "USD"), [("profit", "3")]).rows[0][0]
        'profit'
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


_FIGURES = (
    ("size_bytes", 1e6, 1),
    ("p50_ms", 1.0, 2),
    ("texts_per_s", 1.0, 0),
    ("memory_bytes", 1e6, 0),
    ("start_s", 1.0, 2),
    ("lost", 1.0, 2),
)
"""Of a smaller form: the figure, what it is divided by, and its decimals."""


def tables_of(summary: Summary) -> dict[str, Table]:
    """A table a picture, by the picture's name; without rows where there are no figures.

    Example:
        >>> tables_of({"waterfall": [{"step": "profit", "amount": 3}]})["waterfall"].rows
        [('profit', '3.00')]
    """
    unit = words(summary.get("currency"), missing="money")
    return {
        "waterfall": _waterfall(summary, unit),
        "cascade": _cascade(summary, unit),
        "sizes": _sizes(summary, unit),
        "cash": _cash(summary, unit),
        "dearest": _dearest(summary, unit),
        "heat_map": _heat_map(summary),
        "reliability": _reliability(summary),
        "tornado": _tornado(summary, unit),
        "label_curve": _label_curve(summary, unit),
        "market": Table(
            (*COLUMNS, f"{unit} a month", "5\u202f% end", "95\u202f% end"), market_rows(summary)
        ),
    }


def _waterfall(summary: Summary, unit: str) -> Table:
    steps = entries(summary, "waterfall")
    rows = [(words(step.get("step")), amount(step.get("amount"))) for step in steps]
    return Table(("Step", f"{unit} a month"), rows)


def _cascade(summary: Summary, unit: str) -> Table:
    rows = [
        (
            words(tier.get("name")),
            percent(tier.get("reached")),
            percent(tier.get("share")),
            amount(tier.get("cost_month")),
        )
        for tier in entries(summary, "cascade", "tiers")
    ]
    return Table(("Model", "Asked about", "Answers", f"Asking it, {unit} a month"), rows)


def _sizes(summary: Summary, unit: str) -> Table:
    rows = [
        (
            f"{words(form.get('model'))} {words(form.get('way'))}",
            *(_scaled(form.get(name), scale, places) for name, scale, places in _FIGURES),
            amount(pick(form, "profit", "mean")),
            words(form.get("status")),
        )
        for form in entries(summary, "compression", "forms")
    ]
    columns = ("MB", "p50, ms", "Texts a second", "Memory, MB", "Start, s", "Points lost")
    return Table(("Form", *columns, f"Profit, {unit} a month", ""), rows)


def _scaled(value: Any, scale: float, places: int) -> str:
    figure = finite(value)
    return number(None if figure is None else figure / scale, places)


def _cash(summary: Summary, unit: str) -> Table:
    ends = ("mean", "low", "high")
    rows = [
        (words(month.get("month")), *(amount(month.get(f"cash_{end}")) for end in ends))
        for month in entries(summary, "months")
    ]
    return Table(("Month", f"Cash, {unit}", "5\u202f% end", "95\u202f% end"), rows)


def _dearest(summary: Summary, unit: str) -> Table:
    rows = [(c.truth, c.action, quantity(c.count), amount(c.money)) for c in dearest(summary)]
    return Table(("Truth", "Answered as", "Rows", f"{unit} a month"), rows)


def _heat_map(summary: Summary) -> Table:
    matrix = folded(summary)
    if matrix is None:
        return Table((), ())
    rows = [
        (name, *(amount(matrix.money.get((row, column))) for column in range(len(matrix.columns))))
        for row, name in enumerate(matrix.rows)
    ]
    return Table(("Truth", *matrix.columns), rows)


def _reliability(summary: Summary) -> Table:
    rows = [
        (
            when,
            f"{percent(held.get('low'), 0)} to {percent(held.get('high'), 0)}",
            percent(held.get("confidence")),
            percent(held.get("accuracy")),
            quantity(held.get("n")),
        )
        for when in ("before", "after")
        for held in entries(summary, "calibration", when)
    ]
    return Table(("Calibration", "Bin", "Confidence", "Right", "Rows"), rows)


def _tornado(summary: Summary, unit: str) -> Table:
    rows = [
        (d.name, *map(input_text, d.inputs), *map(amount, d.profits)) for d in drivers_of(summary)
    ]
    return Table(("Input", "From", "To", f"Profit from, {unit}", f"Profit to, {unit}"), rows)


def _label_curve(summary: Summary, unit: str) -> Table:
    rows = [
        (kind, f"{p['x']:,.0f}", *(quantity(p[end]) for end in ("y", "low", "high")))
        for kind, places in (("measured", points_of(summary)), ("curve", line_of(summary)))
        for p in places
    ]
    columns = ("What", "Labels", f"Worth of a request, {unit}", "5\u202f% end", "95\u202f% end")
    return Table(columns, rows)
