"""The table of plans, as `run` and `plan` print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.cli.terminal import Terminal
from payoff.core.money import format_money

_COLUMNS = (
    "plan",
    "accuracy",
    "alone",
    "p95 ms",
    "MB",
    "cost a month",
    "profit a month",
    "5 to 95 %",
    "",
)
_MARKS = {"chosen": "chosen", "failed": "failed", "not run": "not run", "lost": ""}


def show_plans(terminal: Terminal, summary: Mapping[str, Any]) -> None:
    """Print all plans that a search compared, the best first."""
    unit = summary["currency"]
    rows = [_row(plan, unit) for plan in summary["plans"]]
    terminal.table(_COLUMNS, rows, right=_COLUMNS[1:8])
    for plan in summary["plans"]:
        if plan["why"]:
            terminal.line(f"  {plan['name']}: {plan['why']}")


def _row(plan: Mapping[str, Any], unit: str) -> tuple[str, ...]:
    profit = plan["profit_month"]
    mark = "" if plan["split"] != "validation" else " (validation)"
    return (
        plan["name"],
        _figure(plan["accuracy"], "{:.1%}") + mark,
        _figure(plan["automated_share"], "{:.0%}"),
        _figure(plan["latency_p95_ms"], "{:.1f}"),
        _figure(plan["size_bytes"] and plan["size_bytes"] / 1e6, "{:.1f}"),
        _figure(plan["cost_month"] and format_money(plan["cost_month"], unit), "{}"),
        format_money(profit["mean"], unit) if profit else "–",
        f"{format_money(profit['low'], unit)} to {format_money(profit['high'], unit)}"
        if profit
        else "–",
        _MARKS[plan["status"]],
    )


def _figure(value: object, form: str) -> str:
    return "–" if value is None else form.format(value)
