"""What matters most: how far each input moves the profit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.plan.report.charts.rows import Bar, Row, draw_rows
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.figures import compact, entries, finite, pick, quantity, words

MOST = 12


@dataclass(frozen=True, slots=True)
class Driver:
    """One input, its two ends, and the profit at each.

    Example:
        >>> Driver("wage", 26, 38, 90.0, 40.0).swing
        50.0
    """

    name: str
    low_input: Any
    high_input: Any
    low_profit: float
    high_profit: float

    @property
    def inputs(self) -> tuple[Any, Any]:
        """Both ends of the input."""
        return self.low_input, self.high_input

    @property
    def profits(self) -> tuple[float, float]:
        """The profit at each end, in money a month."""
        return self.low_profit, self.high_profit

    @property
    def swing(self) -> float:
        """How far the profit moves between the ends, in money a month."""
        return abs(self.high_profit - self.low_profit)


def drivers_of(summary: Mapping[str, Any]) -> list[Driver]:
    """The drivers with both profits known, widest swing first.

    Example:
        >>> drivers_of({"drivers": [{"name": "wage", "low_profit": 1}]})
        []
    """
    found = []
    for entry in entries(summary, "drivers"):
        low, high = finite(entry.get("low_profit")), finite(entry.get("high_profit"))
        if low is not None and high is not None:
            ends = entry.get("low_input"), entry.get("high_input")
            found.append(Driver(words(entry.get("name")), *ends, low, high))
    return sorted(found, key=lambda driver: -driver.swing)


def input_text(value: Any) -> str:
    """An end of an input, as a number or as it was written.

    Example:
        >>> input_text(30_000), input_text("few"), input_text(None)
        ('30k', 'few', 'not measured')
    """
    return words(value) if finite(value) is None else compact(value)


def draw_tornado(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Bars around the expected profit, loss to one side and gain to the other.

    Example:
        >>> draw_tornado({}, Sheet()) is None
        True
    """
    drivers = drivers_of(summary)[:MOST]
    if not drivers:
        return None
    mean = finite(pick(summary, "decision", "profit_month", "mean"))
    if mean is None:
        mean = sum(d.low_profit + d.high_profit for d in drivers) / (2 * len(drivers))
    rows = [_row(driver, mean, sheet) for driver in drivers]
    return draw_rows(sheet, rows, base=mean, base_text=f"profit {quantity(mean)} a month")


def _row(driver: Driver, mean: float, sheet: Sheet) -> Row:
    ends = [
        (profit, text if sheet.narrow else f"at {text}: {compact(profit)}")
        for profit, text in zip(driver.profits, map(input_text, driver.inputs), strict=True)
    ]
    ends.sort(key=lambda end: end[0])
    bars = tuple(
        Bar(
            mean,
            profit,
            "var(--loss)" if profit < mean else "var(--gain)",
            text,
            to_right=place == 1,
        )
        for place, (profit, text) in enumerate(ends)
    )
    return Row(driver.name, bars)
