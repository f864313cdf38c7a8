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
    """One input, its two ends, and the profit at each."""

    name: str
    low_input: Any
    high_input: Any
    low_profit: float
    high_profit: float

    @property
    def swing(self) -> float:
        """How far the profit moves between the ends, in money a month."""
        return abs(self.high_profit - self.low_profit)


def drivers_of(summary: Mapping[str, Any]) -> list[Driver]:
    """The drivers with both profits known, widest swing first."""
    found = []
    for entry in entries(summary, "drivers"):
        low, high = finite(entry.get("low_profit")), finite(entry.get("high_profit"))
        if low is not None and high is not None:
            ends = entry.get("low_input"), entry.get("high_input")
            found.append(Driver(words(entry.get("name")), *ends, low, high))
    return sorted(found, key=lambda driver: -driver.swing)


def input_text(value: Any) -> str:
    """An end of an input, as a number or as it was written."""
    return words(value) if finite(value) is None else compact(value)


def draw_tornado(summary: Mapping[str, Any], sheet: Sheet) -> str | None:
    """Bars around the expected profit, loss to one side and gain to the other."""
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
        for profit, text in (
            (driver.low_profit, input_text(driver.low_input)),
            (driver.high_profit, input_text(driver.high_input)),
        )
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
