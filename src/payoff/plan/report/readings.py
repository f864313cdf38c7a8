"""One sentence a picture: what to read from it, made from its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from payoff.plan.report.charts.cascade import read_cascade
from payoff.plan.report.charts.cash import months_of, turning_month
from payoff.plan.report.charts.confusions import HANDOFF, Cell, cells_of, dearest
from payoff.plan.report.charts.market import read_market
from payoff.plan.report.charts.points import points_of
from payoff.plan.report.charts.sizes import forms_of
from payoff.plan.report.charts.timeline import spans_of
from payoff.plan.report.charts.tornado import drivers_of, input_text
from payoff.plan.report.figures import (
    duration,
    entries,
    finite,
    interval,
    money,
    number,
    percent,
    pick,
    words,
)

Summary = Mapping[str, Any]


def currency_of(summary: Summary) -> str:
    """The run's currency, empty where it is not stated.

    Example:
        >>> currency_of({"currency": "USD"}), currency_of({})
        ('USD', '')
    """
    return words(summary.get("currency"), missing="")


def read_waterfall(summary: Summary) -> str:
    """Value, the costs, the largest of them, and what is left.

    Example:
        >>> steps = [{"step": "value", "amount": 9}, {"step": "profit", "amount": 9, "total": True}]
        >>> read_waterfall({"currency": "USD", "waterfall": steps})
        'Nothing is taken from 9.00 USD of value: 9.00 USD a month is left.'
    """
    steps = entries(summary, "waterfall")
    amounts = [(words(s.get("step")), finite(s.get("amount")) or 0.0) for s in steps]
    parts = [part for part, step in zip(amounts, steps, strict=True) if not step.get("total")]
    totals = [part for part, step in zip(amounts, steps, strict=True) if step.get("total")]
    if not parts or not totals:
        return "The steps from value to profit were not measured."
    unit = currency_of(summary)
    taken = [(name, -change) for name, change in parts if change < 0]
    earned = sum(change for _, change in parts if change > 0)
    left = totals[-1][1]
    ending = f"{money(left, unit)} a month {'is left' if left >= 0 else 'is what remains'}."
    if not taken:
        return f"Nothing is taken from {money(earned, unit)} of value: {ending}"
    name, most = max(taken, key=lambda part: part[1])
    total = sum(change for _, change in taken)
    return (
        f"Of {money(earned, unit)} of value a month, {money(total, unit)} is taken, "
        f"most of it by {name} ({percent(most / total if total else 0, 0)}): {ending}"
    )


def read_frontier(summary: Summary) -> str:
    """The chosen plan, its lead, and how many others both cost more and earn less.

    Example:
        >>> read_frontier({})
        'No plan with a measured cost and profit was chosen.'
    """
    points = points_of(summary)
    chosen = next((p for p in points if p.chosen), None)
    if chosen is None:
        return "No plan with a measured cost and profit was chosen."
    unit = currency_of(summary)
    others = [p for p in points if p is not chosen]
    worse = sum(p.cost > chosen.cost and p.profit < chosen.profit for p in others)
    does = "earns" if chosen.profit >= 0 else "loses"
    made, spent = money(abs(chosen.profit), unit), money(chosen.cost, unit)
    text = f"{chosen.name} {does} {made} a month for {spent}"
    if others:
        text += f"; {worse} of the {len(others)} other plans cost more and earn less"
    return f"{text}."


def read_sizes(summary: Summary) -> str:
    """How much smaller the chosen form of a model is, and what it loses.

    Example:
        >>> read_sizes({})
        'The model was not made smaller.'
    """
    told = pick(summary, "compression")
    forms = forms_of(summary)
    chosen = next((form for form in forms if form.status == "chosen"), None)
    if not isinstance(told, Mapping) or chosen is None:
        return "The model was not made smaller."
    if chosen is forms[0]:
        return f"The model earns most as it is: none of {len(forms) - 1} other forms earns more."
    tested = finite(told.get("lost_on_test"))
    text = (
        f"Of {len(forms)} forms of the model the one that earns most has {chosen.mb:.1f} MB in "
        f"place of {forms[0].mb:.1f}; it loses {chosen.lost:.2f} points of accuracy on validation "
        "rows"
    )
    return f"{text}." if tested is None else f"{text}, {tested:.2f} on test rows."


def read_runner_up(summary: Summary) -> str:
    """The lead over the second best, and whether it is more than chance.

    Example:
        >>> read_runner_up({"decision": {"runner_up": None}})
        'No runner-up was measured.'
    """
    rival = pick(summary, "decision", "runner_up")
    if not isinstance(rival, Mapping):
        return "No runner-up was measured."
    unit = currency_of(summary)
    gap, low = finite(pick(rival, "gap", "mean")), finite(pick(rival, "gap", "low"))
    name = words(rival.get("plan"))
    if gap is None:
        return f"The lead over {name} was not measured."
    text = f"It leads {name} by {money(gap, unit)} a month"
    if gap < 0:
        text = f"{name} would earn {money(-gap, unit)} a month more"
    if low is None:
        return f"{text}; how sure that is was not measured."
    sure = "" if low > 0 else ", so the two may be equal"
    return (
        f"{text} (90\N{NARROW NO-BREAK SPACE}% interval {interval(rival.get('gap'), unit)}{sure})."
    )


def read_cash(summary: Summary) -> str:
    """When the cash turns, and where it ends.

    Example:
        >>> read_cash({})
        'Cash month by month was not measured.'
    """
    months = months_of(summary)
    if not months:
        return "Cash month by month was not measured."
    unit, last, turning = currency_of(summary), months[-1], turning_month(months)
    ends = ""
    if last.low is not None and last.high is not None:
        band = interval({"low": last.low, "high": last.high}, unit)
        ends = f" (90\N{NARROW NO-BREAK SPACE}% interval {band})"
    after = f"{money(last.mean, unit)} after {last.month} months{ends}"
    if turning is None:
        return f"Cash stays below zero over the whole horizon and stands at {after}."
    if turning == months[0].month:
        return f"Cash is positive from the first month and reaches {after}."
    return f"Cash turns positive in month {turning} and reaches {after}."


def read_dearest(summary: Summary) -> str:
    """The dearest confusion and its share of all that wrong answers cost.

    Example:
        >>> held = {"labels": ["a"], "actions": ["a", "b"], "money": [[3, 0]]}
        >>> read_dearest({"confusion": held})
        'No confusion costs money.'
    """
    if not cells_of(summary):
        return "What each confusion costs was not measured."
    worst = dearest(summary, n=10**6)
    if not worst:
        return "No confusion costs money."
    total = sum(cell.money or 0.0 for cell in worst)
    share = (worst[0].money or 0.0) / total
    top = sum(cell.money or 0.0 for cell in worst[:12]) / total
    text = (
        f"The dearest mistake is to take “{worst[0].truth}” for “{worst[0].action}”: "
        f"{money(worst[0].money, currency_of(summary))} a month, {percent(share, 0)} of what "
        f"wrong answers cost"
    )
    if len(worst) > 12:
        text += f"; the 12 shown make {percent(top, 0)} of it"
    return f"{text}."


def read_heat_map(summary: Summary) -> str:
    """What right answers, wrong answers and handoffs come to.

    Example:
        >>> read_heat_map({})
        'What each kind of answer is worth was not measured.'
    """
    cells = [cell for cell in cells_of(summary) if cell.money is not None]
    if not cells:
        return "What each kind of answer is worth was not measured."
    unit = currency_of(summary)

    def total(kept: Callable[[Cell], bool]) -> str:
        return money(sum(cell.money or 0.0 for cell in cells if kept(cell)), unit)

    right = total(lambda cell: cell.action == cell.truth)
    wrong, handed = total(lambda cell: cell.wrong), total(lambda cell: cell.action == HANDOFF)
    return f"Right answers come to {right} a month, wrong ones to {wrong}, handoffs to {handed}."


def read_reliability(summary: Summary) -> str:
    """How far confidence was off before and after calibration.

    Example:
        >>> read_reliability({"calibration": {"ece_before": 0.06, "ece_after": 0.01}})
        'Stated confidence is off by 1.0 points on average, down from 6.0 before calibration.'
    """
    before = finite(pick(summary, "calibration", "ece_before"))
    after = finite(pick(summary, "calibration", "ece_after"))
    if after is None:
        return "How far stated confidence may be believed was not measured."
    text = f"Stated confidence is off by {number(after * 100, 1)} points on average"
    if before is None:
        return f"{text}; before calibration it was not measured."
    if after > before:
        return (
            f"{text}, more than the {number(before * 100, 1)} before calibration: it did not help."
        )
    return f"{text}, down from {number(before * 100, 1)} before calibration."


def read_tornado(summary: Summary) -> str:
    """The widest driver, and whether any driver alone turns the profit into a loss.

    Example:
        >>> read_tornado({})
        'What moves the profit was not measured.'
    """
    drivers = drivers_of(summary)
    if not drivers:
        return "What moves the profit was not measured."
    unit, top = currency_of(summary), drivers[0]
    sinking = [f"“{d.name}”" for d in drivers if min(d.low_profit, d.high_profit) < 0]
    ending = "no input alone turns the profit into a loss"
    if sinking:
        ending = f"{_listed(sinking)} alone can turn it into a loss"
    return (
        f"“{top.name}” matters most: from {input_text(top.low_input)} to "
        f"{input_text(top.high_input)} the profit goes from {money(top.low_profit, unit)} to "
        f"{money(top.high_profit, unit)} a month; {ending}."
    )


def read_label_curve(summary: Summary) -> str:
    """How many labels to buy, and where a cheap recipe gives way to a dear one.

    Example:
        >>> read_label_curve({"labels": {"sentence": "Buy no labels."}})
        'Buy no labels.'
    """
    text = words(pick(summary, "labels", "sentence"), missing="")
    if not text:
        return "What more labels are worth was not measured."
    crossing = words(pick(summary, "labels", "crossing_sentence"), missing="")
    return f"{text} {crossing}".strip()


def read_scenarios(summary: Summary) -> str:
    """What to do of all that can be done.

    Example:
        >>> read_scenarios({"scenarios": {"sentence": "Do nothing."}})
        'Do nothing.'
    """
    missing = "What else could be done was not reckoned."
    return words(pick(summary, "scenarios", "sentence"), missing=missing)


def read_what_ifs(summary: Summary) -> str:
    """Which change would change the choice.

    Example:
        >>> read_what_ifs({})
        'What would change the choice was not reckoned.'
    """
    missing = "What would change the choice was not reckoned."
    return words(pick(summary, "what_ifs", "sentence"), missing=missing)


def read_search(summary: Summary) -> str:
    """Why the search stopped.

    Example:
        >>> read_search({})
        'Why the search stopped is not stated.'
    """
    return words(
        pick(summary, "search", "sentence"), missing="Why the search stopped is not stated."
    )


def read_cost_lines(summary: Summary) -> str:
    """How many lines were measured, and the largest.

    Example:
        >>> read_cost_lines({"cost_lines": [{"what": "server", "measured": True}]})
        '1 of 1 lines are measured, the others assumed.'
    """
    lines = entries(summary, "cost_lines")
    if not lines:
        return "Costs were not measured line by line."
    measured = sum(line.get("measured") is True for line in lines)
    known = [line for line in lines if finite(line.get("amount")) is not None]
    text = f"{measured} of {len(lines)} lines are measured, the others assumed"
    if known:
        largest = max(known, key=lambda line: abs(finite(line.get("amount")) or 0.0))
        unit = words(largest.get("currency"), missing=currency_of(summary))
        text += f"; the largest is {words(largest.get('what'))}, {money(largest['amount'], unit)}"
    return f"{text}."


def read_findings(summary: Summary) -> str:
    """How the checks of the data ended.

    Example:
        >>> read_findings({"findings": [{"status": "failed"}, {"status": "passed"}]})
        'Of 2 checks: 1 failed and 1 passed.'
    """
    found = entries(summary, "findings")
    if not found:
        return "The data were not checked."
    counts = {
        status: sum(finding.get("status") == status for finding in found)
        for status in ("failed", "not checked", "not applicable", "passed")
    }
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"Of {len(found)} checks: {_listed(parts)}."


def read_timeline(summary: Summary) -> str:
    """How long the search took, and what took longest.

    Example:
        >>> read_timeline({"reproduce": {"seconds": 61}})
        'The run took 1 min 1 s; how the search spent its time was not measured.'
    """
    spans = spans_of(summary)
    total = finite(pick(summary, "reproduce", "seconds"))
    if not spans:
        text = "How the search spent its time was not measured"
        return f"{text}." if total is None else f"The run took {duration(total)}; {text.lower()}."
    times: dict[str, float] = {}
    for name, start, end in spans:
        times[name] = times.get(name, 0.0) + end - start
    longest = max(times, key=lambda name: times[name])
    whole = max(end for _, _, end in spans) - min(start for _, start, _ in spans)
    return (
        f"The search tried {len(times)} candidates in {duration(whole)}; "
        f"{longest} took longest, {duration(times[longest])}."
    )


READINGS: Mapping[str, Callable[[Summary], str]] = MappingProxyType(
    {
        "waterfall": read_waterfall,
        "frontier": read_frontier,
        "cascade": read_cascade,
        "sizes": read_sizes,
        "cash": read_cash,
        "dearest": read_dearest,
        "heat_map": read_heat_map,
        "reliability": read_reliability,
        "tornado": read_tornado,
        "label_curve": read_label_curve,
        "market": read_market,
        "timeline": read_timeline,
    }
)


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
