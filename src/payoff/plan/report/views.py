"""What the page shows, section by section, as texts ready to be set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from payoff.plan.report.charts.cash import months_of, turning_month
from payoff.plan.report.figures import (
    NOT_MEASURED,
    amount,
    cents,
    duration,
    entries,
    finite,
    interval,
    milliseconds,
    money,
    number,
    percent,
    pick,
    quantity,
    size,
    words,
)
from payoff.plan.report.readings import currency_of

Summary = Mapping[str, Any]
View = dict[str, Any]


def hero(summary: Summary) -> View:
    """The decision: its sentence, its money, its interval as a strip, and the key figures.

    Example:
        >>> hero({})["profit"], hero({})["risk"]
        ('not measured', 'not measured')
    """
    decision = pick(summary, "decision")
    unit = currency_of(summary)
    profit = pick(decision, "profit_month")
    mean = finite(pick(profit, "mean"))
    risk = finite(pick(decision, "probability_of_loss"))
    return {
        "sentence": words(pick(decision, "sentence"), missing="No plan was chosen."),
        "profit": amount(mean),
        "known": mean is not None,
        "currency": unit,
        "losing": mean is not None and mean < 0,
        "interval": interval(profit, unit),
        "strip": _strip(profit),
        "risk": percent(risk),
        "risk_known": risk is not None,
        "risky": risk is not None and risk >= 0.1,
        "figures": [
            ("Answered alone", percent(pick(decision, "automated_share")), "share of requests"),
            ("Right when alone", percent(pick(decision, "accuracy_automated")), "accuracy"),
            ("Cost", money(pick(decision, "cost_month"), unit), "a month"),
            ("Answer time", milliseconds(pick(decision, "latency_p95_ms")), "95 of 100 are faster"),
        ],
    }


def _strip(profit: Any) -> dict[str, float] | None:
    """Low, mean, high and zero of the profit as per cent of a strip, zero always on it."""
    low, mean, high = (finite(pick(profit, key)) for key in ("low", "mean", "high"))
    if low is None or mean is None or high is None or not low <= mean <= high:
        return None
    start, end = min(low, 0.0), max(high, 0.0)
    span = (end - start) or 1.0
    places = {"low": low, "mean": mean, "high": high, "zero": 0.0}
    return {name: round((value - start) / span * 100, 2) for name, value in places.items()}


def facts(summary: Summary) -> list[tuple[str, str]]:
    """Break-even volume, payback and horizon.

    Example:
        >>> facts({"decision": {"payback_months": 1.5}})[1]
        ('Payback', '1.5 months')
    """
    decision = pick(summary, "decision")
    volume = finite(pick(decision, "break_even_per_month"))
    payback = finite(pick(decision, "payback_months"))
    horizon = finite(pick(summary, "horizon_months"))
    months = "under a month" if payback is not None and payback < 1 else None
    cash = months_of(summary)
    if payback is None and cash and turning_month(cash) is None:
        months = f"not within {cash[-1].month} months"
    return [
        ("Break-even", NOT_MEASURED if volume is None else f"{number(volume, 0)} requests a month"),
        ("Payback", months or (NOT_MEASURED if payback is None else _months(payback))),
        ("Horizon", NOT_MEASURED if horizon is None else _months(horizon)),
    ]


def _months(number_of: float) -> str:
    return f"{quantity(number_of)} month{'' if number_of == 1 else 's'}"


_STATUS_ORDER = {"chosen": 0, "lost": 1, "failed": 2, "not run": 3}


def plans(summary: Summary) -> list[View]:
    """A row a plan: the chosen one, then by profit, then what failed and what was not run.

    Example:
        >>> held = [{"status": "lost"}, {"status": "chosen"}]
        >>> [plan["status"] for plan in plans({"plans": held})]
        ['chosen', 'lost']
    """

    def order(plan: Mapping[str, Any]) -> tuple[int, float]:
        profit = finite(pick(plan, "profit_month", "mean"))
        status = _STATUS_ORDER.get(str(plan.get("status")), 1)
        return status, -profit if profit is not None else float("inf")

    unit = currency_of(summary)
    return [_plan(plan, unit) for plan in sorted(entries(summary, "plans"), key=order)]


def _plan(plan: Mapping[str, Any], unit: str) -> View:
    profit = plan.get("profit_month")
    made_of = [plan.get(key) for key in ("recipe", "backbone", "precision", "hosting")]
    if plan.get("split") and finite(plan.get("accuracy")) is not None:
        made_of.append(f"measured on {plan['split']}")
    return {
        "name": words(plan.get("name"), missing="unnamed"),
        "made_of": " · ".join(str(part) for part in made_of if part),
        "baseline": plan.get("kind") == "baseline",
        "status": words(plan.get("status")),
        "why": words(plan.get("why"), missing="no reason stated"),
        "cells": [
            _cell("Accuracy", plan.get("accuracy"), percent, *_quality(plan)),
            _cell(
                "Alone",
                plan.get("automated_share"),
                percent,
                f"{percent(plan.get('accuracy_automated'))} right",
            ),
            _cell("p95", plan.get("latency_p95_ms"), milliseconds, *_speed(plan)),
            _cell("Size", plan.get("size_bytes"), size, _training(plan)),
            _cell("Cost a month", plan.get("cost_month"), amount),
            _cell("Profit a month", pick(profit, "mean"), amount, interval(profit)),
        ],
        "unit": unit,
    }


def _cell(label: str, value: Any, show: Callable[[Any], str], *notes: str) -> View:
    known = finite(value)
    return {
        "label": label,
        "key": "" if known is None else f"{known:.10g}",
        "text": show(value),
        "notes": () if known is None else notes,
        "known": known is not None,
        "negative": known is not None and known < 0,
    }


def _quality(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"macro-F1 {percent(plan.get('macro_f1'))}",
        f"log loss {number(plan.get('log_loss'), 2)}, ECE {number(plan.get('ece'))}",
    )


def _speed(plan: Mapping[str, Any]) -> tuple[str, ...]:
    rate = finite(plan.get("texts_per_s"))
    speed = f"{quantity(rate)} texts/s" if rate is not None else f"texts/s {NOT_MEASURED}"
    return f"p50 {milliseconds(plan.get('latency_p50_ms'))}", speed


def _training(plan: Mapping[str, Any]) -> str:
    return f"trained in {duration(plan.get('training_s'))}"


def closing(summary: Summary) -> str:
    """Which rows the chosen plan's figures come from, and what that means for them.

    Example:
        >>> closing({})
        'Which rows report the chosen plan is not stated.'
    """
    chosen = next((p for p in entries(summary, "plans") if p.get("status") == "chosen"), None)
    on = None if chosen is None else chosen.get("split")
    if on == "test":
        return "The chosen plan is reported on test rows, which took no part in choosing it."
    if on == "validation":
        return (
            "The chosen plan is reported on the validation rows that chose it, so its figures "
            "flatter it; it was not measured on test rows."
        )
    return "Which rows report the chosen plan is not stated."


def accounts(summary: Summary) -> View | None:
    """The mission's two sums, each with what it should come to and whether it does.

    Example:
        >>> accounts({"accounts": {"e_model": 5, "e_cloud": 1, "e": 6}})["e_adds_up"]["text"]
        'adds up'
    """
    held = pick(summary, "accounts")
    if not isinstance(held, Mapping):
        return None
    costs = held.get("costs")
    costs = costs if isinstance(costs, Mapping) else {}
    e_model, e_cloud, total = (finite(held.get(key)) for key in ("e_model", "e_cloud", "e"))
    profit, reference, others = (
        finite(held.get(key)) for key in ("profit", "reference_hosting", "other_costs")
    )
    known = [finite(cost) for cost in costs.values()]
    spent = None if not known or None in known else sum(cost or 0.0 for cost in known)
    without = None if reference is None or others is None else reference + others
    return {
        "e_model": cents(e_model),
        "e_cloud": cents(e_cloud),
        "e": cents(total),
        "e_adds_up": _adds_up(total, e_model, e_cloud, 1.0),
        "costs": [(str(step), cents(cost)) for step, cost in costs.items()],
        "spent": cents(spent),
        "profit": cents(profit),
        "profit_adds_up": _adds_up(profit, e_model, spent, -1.0),
        "reference": cents(reference),
        "others": cents(others),
        "e_gives_profit": _adds_up(profit, total, without, -1.0),
    }


def _adds_up(total: float | None, first: float | None, second: float | None, sign: float) -> View:
    """Whether a sum that is shown to the cent is right to the cent."""
    if total is None or first is None or second is None:
        return {"status": "not checked", "text": "not checked: a figure was not measured"}
    shown = [Decimal(f"{figure:.2f}") for figure in (total, first, second)]
    off = shown[0] - (shown[1] + int(sign) * shown[2])
    if not off:
        return {"status": "passed", "text": "adds up"}
    return {"status": "failed", "text": f"does not add up: {cents(float(off))} is unexplained"}


def cost_lines(summary: Summary) -> list[View]:
    """A row a cost line, dearest first within the order of the steps.

    Example:
        >>> cost_lines({"cost_lines": [{"what": "server"}]})[0]["basis"]
        'not stated'
    """
    found = []
    for line in entries(summary, "cost_lines"):
        source = words(line.get("source"), missing="not stated")
        measured = line.get("measured")
        found.append(
            {
                "step": words(line.get("step")),
                "what": words(line.get("what")),
                "quantity": quantity(line.get("quantity")),
                "unit": words(line.get("unit"), missing=""),
                "unit_price": quantity(line.get("unit_price")),
                "amount": amount(line.get("amount")),
                "currency": words(line.get("currency"), missing=currency_of(summary)),
                "as_of": words(line.get("as_of"), missing="not stated"),
                "source": source,
                "link": source if re.match(r"https?://", source) else "",
                "basis": "not stated"
                if measured is None
                else ("assumed", "measured")[bool(measured)],
            }
        )
    return found


_FINDING_ORDER = {"failed": 0, "not checked": 1, "not applicable": 2, "passed": 3}
_SIGNS = {"failed": "✕", "not checked": "?", "not applicable": "–", "passed": "✓"}


def findings(summary: Summary) -> list[View]:
    """The checks, failed ones first, each with the rows to look at as a table.

    Example:
        >>> findings({"findings": [{"title": "t", "status": "unheard of"}]})[0]["status"]
        'not checked'
    """
    found = []
    for entry in entries(summary, "findings"):
        rows = entries(entry, "rows")
        columns = list(dict.fromkeys(str(key) for row in rows for key in row))
        status = str(entry.get("status"))
        found.append(
            {
                "code": words(entry.get("code"), missing=""),
                "title": words(entry.get("title"), missing="unnamed check"),
                # A status that nobody knows was not a pass.
                "status": status if status in _SIGNS else "not checked",
                "sign": _SIGNS.get(status, "?"),
                "detail": words(entry.get("detail"), missing=""),
                "mend": words(entry.get("mend"), missing=""),
                "n_affected": quantity(entry.get("n_affected")),
                "columns": columns,
                "rows": [[_shown(row.get(column)) for column in columns] for row in rows],
            }
        )
    return sorted(found, key=lambda view: _FINDING_ORDER[view["status"]])


def _shown(value: Any) -> str:
    known = finite(value)
    if known is None or known == int(known):
        return words(value, missing="–")
    return quantity(value)


def split(summary: Summary) -> list[tuple[str, str]]:
    """Rows in each part, and how they were parted.

    Example:
        >>> split({"split": {"train": 900}})[0]
        ('train', '900 rows')
    """
    held = pick(summary, "split")
    parts = [(part, pick(held, part)) for part in ("train", "validation", "test")]
    sizes = [
        (part, f"{number(n, 0)} rows" if finite(n) is not None else NOT_MEASURED)
        for part, n in parts
    ]
    return [*sizes, ("split", words(pick(held, "how"), missing="not stated"))]


def reproduction(summary: Summary) -> View:
    """The command and all that has to be the same to get the same run.

    Example:
        >>> reproduction({"seed": 0})["facts"][0]
        ('Seed', '0')
    """
    held = pick(summary, "reproduce")
    seed = pick(held, "seed")
    versions = pick(held, "versions")
    versions = versions if isinstance(versions, Mapping) else {}
    return {
        "command": words(pick(held, "command"), missing=""),
        "facts": [
            (
                "Seed",
                words(seed if seed is not None else summary.get("seed"), missing="not stated"),
            ),
            ("Data fingerprint", words(pick(held, "data_fingerprint"), missing="not stated")),
            ("Machine", words(pick(held, "machine"), missing="not stated")),
            ("Duration", duration(pick(held, "seconds"))),
            (
                "Versions",
                ", ".join(f"{name} {words(v)}" for name, v in versions.items()) or "not stated",
            ),
        ],
    }
