"""One order a picture: what to do about what it shows, made from its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from payoff.plan.report.charts.cash import months_of, turning_month
from payoff.plan.report.charts.confusions import cells_of, dearest
from payoff.plan.report.charts.points import points_of
from payoff.plan.report.charts.tornado import drivers_of
from payoff.plan.report.figures import entries, finite, money, number, pick, words
from payoff.plan.report.readings import currency_of

Summary = Mapping[str, Any]


def to_do(summary: Summary) -> dict[str, str]:
    """What to do about each picture, by its name; empty where its figures are missing.

    Cascade, labels and search say it in the sentence that reads them.

    Example:
        >>> to_do({})["cash"]
        ''
    """
    return {name: advise(summary) for name, advise in _ADVICE.items()}


def _waterfall(summary: Summary) -> str:
    steps = entries(summary, "waterfall")
    taken = [
        (words(step.get("step")), -(finite(step.get("amount")) or 0.0))
        for step in steps
        if not step.get("total") and (finite(step.get("amount")) or 0.0) < 0
    ]
    if not steps:
        return ""
    if not taken:
        return "There is nothing to save."
    return f"To earn more, begin with {max(taken, key=lambda step: step[1])[0]}."


def _frontier(summary: Summary) -> str:
    chosen = next((point for point in points_of(summary) if point.chosen), None)
    if chosen is None:
        return ""
    other = words(pick(summary, "decision", "recommended"), missing="model")
    return f"Run {chosen.name}." if other == "model" else f"Run no model, choose “{other}”."


def _cash(summary: Summary) -> str:
    months = months_of(summary)
    if not months:
        return ""
    lowest = min(month.mean for month in months)
    turning = turning_month(months)
    if lowest >= 0:
        return "No money needs to be set aside."
    if turning is None:
        return "Do not spend this unless it will run for longer than the horizon."
    return f"Set {money(-lowest, currency_of(summary))} aside until month {turning}."


def _dearest(summary: Summary) -> str:
    worst = dearest(summary)
    if not cells_of(summary):
        return ""
    if not worst:
        return "There is no mistake to mend."
    return (
        f"Read those messages first, and label more of “{worst[0].truth}” and "
        f"“{worst[0].action}” if you label more."
    )


def _heat_map(summary: Summary) -> str:
    totals: dict[str, float] = {}
    for cell in cells_of(summary):
        if cell.money is not None:
            totals[cell.truth] = totals.get(cell.truth, 0.0) + cell.money
    if not totals:
        return ""
    name, least = min(totals.items(), key=lambda total: total[1])
    if least >= 0:
        return "No kind of request loses money on the whole: leave all of them to the plan."
    lost = money(-least, currency_of(summary))
    return f"Look first at “{name}”, which loses {lost} a month on the whole."


def _reliability(summary: Summary) -> str:
    off = finite(pick(summary, "calibration", "ece_after"))
    if off is None:
        return ""
    points = number(off * 100, 1)
    told = "Read a confidence of 90 % as right in 90 of 100"
    return f"{told}, give or take {points} points on average."


def _tornado(summary: Summary) -> str:
    drivers = drivers_of(summary)
    if not drivers:
        return ""
    return f"Find out more about “{drivers[0].name}” before all other inputs."


_ADVICE: Mapping[str, Callable[[Summary], str]] = MappingProxyType(
    {
        "waterfall": _waterfall,
        "frontier": _frontier,
        "cash": _cash,
        "dearest": _dearest,
        "heat_map": _heat_map,
        "reliability": _reliability,
        "tornado": _tornado,
    }
)
