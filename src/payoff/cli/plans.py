"""The tables of plans, as `run` and `plan` print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_ACCOUNTS = ("e", "e_model", "e_cloud", "hosting", "other_costs", "reference", "profit")
_DOUBTS = ("PF627", "PF651", "PF652", "PF653", "PF654", "PF655", "PF656", "PF680")
_MARKS = {"chosen": "chosen", "failed": "failed", "not run": "not run", "lost": ""}


def show_plans(terminal: Terminal, summary: Mapping[str, Any]) -> None:
    """Print all plans that a search compared, the best first."""
    unit = summary["currency"]
    rows = [_row(plan, unit) for plan in summary["plans"]]
    terminal.table(_COLUMNS, rows, right=_COLUMNS[1:8])
    for plan in summary["plans"]:
        if plan["why"]:
            terminal.line(f"  {plan['name']}: {plan['why']}")
    show_cascade(terminal, summary.get("cascade"))
    show_doubts(terminal, summary["findings"])


def show_cascade(terminal: Terminal, told: Mapping[str, Any] | None) -> None:
    """Print who is asked in the best cascade, how often and at what cost, and whether it pays."""
    if not told:  # of a run by an earlier version
        return
    columns = ("cascade", "asked about", "answers", "asking it a month")
    rows = [
        (
            tier["name"],
            f"{tier['reached']:.0%}",
            f"{tier['share']:.0%}",
            format_money(tier["cost_month"], told["currency"]),
        )
        for tier in told.get("tiers", ())
    ]
    if rows:
        terminal.table(columns, rows, right=columns[1:])
    for name, why in told.get("left_out", {}).items():
        terminal.line(f"  {name} is no tier of it: {why}")
    terminal.line(told["sentence"])


def show_accounts(terminal: Terminal, accounts: Mapping[str, Any], unit: str) -> None:
    """Print both readings of the mission's formula for the chosen model, to the cent."""
    told = {name: f"{accounts[name]:,.2f}" for name in _ACCOUNTS if name in accounts}
    if len(told) < len(_ACCOUNTS):  # of a run by an older payoff
        return
    terminal.line(
        f"E         {told['e']} {unit} = E_model {told['e_model']} + E_cloud {told['e_cloud']} "
        "(saved against the cheapest rented machine)"
    )
    terminal.line(
        f"profit    {told['profit']} {unit} = E_model {told['e_model']} - hosting "
        f"{told['hosting']} - people, training, labels and build {told['other_costs']}"
    )
    terminal.line(
        f"          {told['profit']} {unit} = E {told['e']} - reference hosting "
        f"{told['reference']} - people, training, labels and build {told['other_costs']}"
    )


def show_doubts(terminal: Terminal, findings: Sequence[Mapping[str, Any]]) -> None:
    """Print the failed checks of the payoff, the terms and the promises; count the others."""
    failed = [one for one in findings if one["status"] == "failed"]
    told = [one for one in failed if one["code"] in _DOUBTS or "exchange rate" in one["title"]]
    _show_failed(terminal, told)
    if len(failed) > len(told):
        n = len(failed) - len(told)
        terminal.line(
            f"  {n} check{'s' if n > 1 else ''} of data and prices failed: the report says which."
        )


def show_what_if(terminal: Terminal, told: Mapping[str, Any]) -> None:
    """Print all plans as they stand and as they would, side by side."""
    before, after = told["before"], told["after"]
    columns = ("plan", "now a month", "5 to 95 %", "then a month", "5 to 95 %", "")
    now = {plan["name"]: plan for plan in before["plans"]}
    rows = [
        (
            plan["name"],
            *_span(now.get(plan["name"]), before["currency"]),
            *_span(plan, after["currency"]),
            _change(plan["name"], before["recommended"], after["recommended"]),
        )
        for plan in after["plans"]
    ]
    terminal.line("if " + ", ".join(told["changes"]))
    terminal.table(columns, rows, right=columns[1:5])
    for plan in after["plans"]:
        if plan["why_not"]:
            terminal.line(f"  {plan['name']}: {plan['why_not']}")
    show_cascade(terminal, after.get("cascade"))
    _show_failed(terminal, after["findings"])
    terminal.line(told["sentence"], style="bold")
    show_accounts(terminal, after["accounts"], after["currency"])
    for note in told["notes"]:
        terminal.line(note)


def show_scenarios(terminal: Terminal, told: Mapping[str, Any]) -> None:
    """Print what can be done, the best first, and what was found on the way."""
    columns = ("scenario", "profit a month", "5 to 95 %", "loss", "behind the best", "5 to 95 %")
    if told["changes"]:
        terminal.line("if " + ", ".join(told["changes"]))
    terminal.table(columns, [_scenario(row) for row in told["scenarios"]], right=columns[1:])
    for row in told["scenarios"]:
        if row["reason"]:
            terminal.line(f"  {row['name']}: {row['reason']}")
    _show_failed(terminal, told["findings"])
    best, *others = told["scenarios"]
    sentence = f"Best: {best['name']}"
    if others and others[0]["behind_best"]:
        behind = others[0]["behind_best"]
        lead = format_money(behind["mean"], behind["currency"])
        sentence += f", {lead} a month ahead of: {others[0]['name']}"
    terminal.line(sentence + ".", style="bold")


def _show_failed(terminal: Terminal, findings: Sequence[Mapping[str, Any]]) -> None:
    for finding in findings:
        if finding["status"] == "failed":
            detail = finding["detail"].removesuffix(".")
            terminal.line(f"  {finding['code']} {finding['title']}: no, {detail}.")
            terminal.line(f"    {finding['mend']}")


def _scenario(row: Mapping[str, Any]) -> tuple[str, ...]:
    if not row["profit"]:
        return row["name"], *["–"] * 5
    money = [row["profit"], row["behind_best"]]
    first, second = [
        (
            format_money(one["mean"], one["currency"]),
            " to ".join(
                format_money(one["quantiles"][end], one["currency"]) for end in ("0.05", "0.95")
            ),
        )
        for one in money
    ]
    return row["name"], *first, f"{row['probability_of_loss']:.0%}", *second


def _span(plan: Mapping[str, Any] | None, unit: str) -> tuple[str, str]:
    profit = plan and plan["profit_month"]
    if not profit:
        return "–", "–"
    low, high = (format_money(profit[end], unit) for end in ("low", "high"))
    return format_money(profit["mean"], unit), f"{low} to {high}"


def _change(name: str, before: str, after: str) -> str:
    if name == after:
        return "to be done" if before == after else "to be done then"
    return "to be done now" if name == before else ""


def _row(plan: Mapping[str, Any], unit: str) -> tuple[str, ...]:
    profit = plan["profit_month"]
    mark = "" if plan["split"] != "validation" else " (validation)"
    return (
        plan["name"],
        _figure(plan["accuracy"], "{:.1%}") + mark,
        _figure(plan["automated_share"], "{:.0%}"),
        _figure(plan["latency_p95_ms"], "{:.1f}"),
        _figure(plan["size_bytes"] and plan["size_bytes"] / 1e6, "{:.1f}"),
        "–" if plan["cost_month"] is None else format_money(plan["cost_month"], unit),
        format_money(profit["mean"], unit) if profit else "–",
        f"{format_money(profit['low'], unit)} to {format_money(profit['high'], unit)}"
        if profit
        else "–",
        _MARKS[plan["status"]],
    )


def _figure(value: object, form: str) -> str:
    return "–" if value is None else form.format(value)
