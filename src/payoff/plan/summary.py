"""The summary of a search: every figure of the report as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from payoff.core.money import format_money
from payoff.economics.baselines import Baseline
from payoff.economics.forecast import Forecast, gap
from payoff.economics.label_mix import label_mix
from payoff.economics.scenarios import checks
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds
from payoff.plan.answering_energy import energy_section
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.cascades.cascade_section import cascade_section
from payoff.plan.choice import foremost
from payoff.plan.comparison import Comparison, Reported
from payoff.plan.ladder import Tried
from payoff.plan.market.market_section import market_section
from payoff.plan.options import Option, Workshop
from payoff.plan.stopping import why_stopped
from payoff.plan.versions import versions


def summarise(
    comparison: Comparison, workshop: Workshop, *, name: str, worlds: Worlds
) -> dict[str, Any]:
    """Every figure of the report.

    Args:
        comparison: What was found.
        workshop: What made it.
        name: Name of the artifact.
        worlds: Drawn over the test rows.
    """
    chosen = comparison.chosen
    terms = workshop.terms
    plans = _plans(comparison, workshop)
    return {
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": workshop.bench.seed,
        "currency": terms.currency,
        "horizon_months": terms.horizon_months,
        "decision": _decision(comparison, plans, terms.risk_aversion),
        "plans": plans,
        "cascade": cascade_section(comparison, terms.risk_aversion),
        "market": market_section(comparison, workshop),
        "waterfall": _waterfall(chosen.forecast),
        "months": [
            {"month": m.month, "cash_mean": m.mean, "cash_low": m.low, "cash_high": m.high}
            for m in chosen.forecast.months
        ],
        "confusion": _confusion(comparison, workshop, worlds),
        "calibration": {
            "before": [b.as_dict() for b in chosen.evidence.reliability_uncalibrated],
            "after": [b.as_dict() for b in chosen.evidence.reliability],
            "ece_before": chosen.evidence.ece_uncalibrated,
            "ece_after": chosen.evidence.ece,
            "choice": chosen.evidence.calibration and chosen.evidence.calibration.as_dict(),
        },
        "drivers": [
            {
                "name": driver.name,
                "low_input": _ENDS.get(driver.how, (driver.how,) * 2)[0],
                "high_input": _ENDS.get(driver.how, (driver.how,) * 2)[1],
                "low_profit": float(driver.low),
                "high_profit": float(driver.high),
            }
            for driver in chosen.forecast.drivers
        ],
        "accounts": chosen.forecast.reconcile().as_dict(),
        "cost_lines": [
            line.as_dict()
            | {"currency": terms.currency}
            | {"unit_price": float(line.unit_price), "amount": float(line.amount)}
            for line in chosen.forecast.lines
        ],
        "energy": energy_section(chosen.option, workshop),
        "findings": [
            finding.as_dict()
            for finding in (
                *comparison.findings,
                *checks(chosen.forecast, terms.payoff.person, worlds),
            )
        ],
        "split": {
            "train": comparison.parts.n_train,
            "validation": len(comparison.parts.validation),
            "test": len(comparison.parts.test_texts),
            "how": comparison.cut.how,
        },
        "search": why_stopped(
            comparison.tried,
            requests=terms.requests,
            cost_per_hour=workshop.cost_per_hour,
            currency=terms.currency,
        ),
        "reproduce": _reproduce(comparison, workshop),
        "timeline": [
            {
                "candidate": t.candidate.name,
                "start_s": t.started_s,
                "end_s": t.started_s + t.seconds,
            }
            for t in comparison.tried
            if t.seconds > 0
        ],
    }


_ENDS: dict[str, tuple[str, str]] = {
    "5 % and 95 %": ("its worst 5 %", "its best 5 %"),
    "20 % less and more": ("20 % worse", "20 % better"),
}
"""How a driver was varied, and its bad and good end in words."""


def _money(amount: UncertainMoney) -> dict[str, float]:
    low, high = amount.interval(0.9)
    return {"mean": float(amount.mean), "low": float(low), "high": float(high)}


def _decision(
    comparison: Comparison, plans: list[dict[str, Any]], aversion: float
) -> dict[str, Any]:
    chosen = comparison.chosen
    profit = _money(chosen.forecast.profit)
    best = plans[0] if plans[0]["kind"] == "model" else None
    row = next(p for p in plans if p["status"] == "chosen")
    rival = _runner_up(comparison, aversion)
    other = _baseline_instead(comparison, aversion)
    return {
        "sentence": _sentence(comparison, row, other),
        "plan": chosen.option.name,
        "recommended": "model" if other is None else other.name,
        "profit_month": profit,
        "risk_aversion": aversion,
        "probability_of_loss": chosen.forecast.probability_of_loss,
        "automated_share": row["automated_share"],
        "accuracy_automated": row["accuracy_automated"],
        "cost_month": row["cost_month"],
        "latency_p95_ms": row["latency_p95_ms"],
        "break_even_per_month": chosen.forecast.break_even_per_month,
        "payback_months": chosen.forecast.payback_months,
        "runner_up": rival and {"plan": rival[0], "gap": _money(rival[1])},
        "best_by_test": best and best["name"],
    }


def _sentence(comparison: Comparison, row: Mapping[str, Any], instead: Baseline | None) -> str:
    forecast = comparison.chosen.forecast
    currency = forecast.profit.currency
    low, high = (format_money(float(end), currency) for end in forecast.profit.interval(0.9))
    mean = format_money(float(forecast.profit.mean), currency)
    if instead is None:
        return (
            f"Run {row['name']} on {row['hosting']}: it is expected to earn {mean} a month "
            f"(5 to 95 %: {low} to {high}), answering {row['automated_share']:.0%} of the requests "
            f"by itself."
        )
    assert instead.profit is not None
    other = format_money(float(instead.profit.mean), currency)
    text = f"Do not deploy a model: “{instead.name}” is expected to earn {other} a month, the best "
    if float(instead.profit.mean) > float(forecast.profit.mean):
        return text + f"model ({row['name']}) only {mean} (5 to 95 %: {low} to {high})."
    return text + (
        f"model ({row['name']}) {mean} but at more risk than you would take "
        f"(5 to 95 %: {low} to {high})."
    )


def _baseline_instead(comparison: Comparison, aversion: float) -> Baseline | None:
    """What to do in place of the chosen plan; None where that is worth most."""
    valued = [(b, b.profit) for b in comparison.baselines if b.profit is not None]
    profits = [comparison.chosen.forecast.profit, *(profit for _, profit in valued)]
    place = foremost(profits, aversion)
    return None if place == 0 else valued[place - 1][0]


def _runner_up(comparison: Comparison, aversion: float) -> tuple[str, UncertainMoney] | None:
    """The rival that came next in the choice, if there is one."""
    rivals = comparison.reported[1:]
    if not rivals:
        return None
    rival = rivals[foremost([one.option.forecast.profit for one in rivals], aversion)]
    return rival.option.name, gap(comparison.chosen.forecast, rival.forecast)


def _plans(comparison: Comparison, workshop: Workshop) -> list[dict[str, Any]]:
    rows = [_option_row(r, comparison) for r in comparison.reported]
    exported = {model.candidate for model in comparison.models}
    rows += [_tried_row(t, comparison) for t in comparison.tried if t.candidate not in exported]
    rows += [
        _EMPTY | {"name": name, "kind": "model", "status": "not run", "why": str(error)}
        for name, error in workshop.refused.items()
    ]
    rows += [_baseline_row(b, comparison) for b in comparison.baselines]

    def order(row: dict[str, Any]) -> tuple[bool, float]:
        profit = row["profit_month"]
        return (profit is None, -profit["mean"] if profit else 0.0)

    return sorted(rows, key=order)


_EMPTY: dict[str, Any] = dict.fromkeys(
    [
        "recipe",
        "backbone",
        "precision",
        "split",
        "accuracy",
        "macro_f1",
        "log_loss",
        "ece",
        "automated_share",
        "accuracy_automated",
        "latency_p50_ms",
        "latency_p95_ms",
        "texts_per_s",
        "size_bytes",
        "training_s",
        "cost_month",
        "value_month",
        "profit_month",
        "hosting",
        "value_each",
        "argmax_value_each",
    ]
)


def _option_row(reported: Reported, comparison: Comparison) -> dict[str, Any]:
    option, evidence = reported.option, reported.evidence
    profit = _money(reported.forecast.profit)
    value = float(reported.forecast.reconciliation.e_model)
    latency, footprint = evidence.latency, evidence.footprint
    truth = comparison.parts.test_targets
    alone = reported.actions < len(comparison.parts.labels)
    return _EMPTY | {
        "name": option.name,
        "kind": "model",
        "recipe": option.recipe,
        "backbone": option.backbone or None,
        "precision": option.precision or None,
        "status": "chosen" if reported is comparison.chosen else "lost",
        "why": _why_lost(option, comparison.chosen.option),
        "split": "test",
        "accuracy": evidence.quality.accuracy,
        "macro_f1": evidence.quality.macro_f1,
        "log_loss": evidence.quality.log_loss,
        "ece": evidence.ece,
        "automated_share": float(alone.mean()),
        "accuracy_automated": float((reported.actions == truth)[alone].mean())
        if alone.any()
        else None,
        "latency_p50_ms": latency and latency.p50_ms,
        "latency_p95_ms": latency and latency.p95_ms,
        "texts_per_s": latency and latency.texts_per_s,
        "size_bytes": footprint and footprint.artifact_bytes,
        "training_s": evidence.training_s,
        "cost_month": _difference(value, profit["mean"]),
        "value_month": value,
        "profit_month": profit,
        "hosting": option.hosting.name,
        "value_each": reported.value,
        "argmax_value_each": reported.argmax_value,
    }


def _why_lost(option: Option | CascadeOption, chosen: Option | CascadeOption) -> str:
    if option is chosen:
        return "the highest expected profit on validation"
    difference = gap(chosen.forecast, option.forecast)
    low, high = difference.interval(0.9)
    if float(difference.mean) < 0:
        return (
            f"on validation it earned {-difference.mean} a month more than the chosen plan, which "
            f"may be chance (5 to 95 %: {-high} to {-low})"
        )
    return (
        f"on validation it earned {difference.mean} a month less than the chosen plan "
        f"(5 to 95 %: {low} to {high})"
    )


def _tried_row(tried: Tried, comparison: Comparison) -> dict[str, Any]:
    winner = next(
        (m for m in comparison.models if m.recipe == tried.candidate.recipe),
        None,
    )
    why = tried.why
    if tried.status == "trained" and winner is not None:
        why = f"{tried.behind(winner.tried)} on validation"
    elif tried.status == "trained":
        why = "no host holds the limits"
    accuracy = None
    if tried.logits is not None:
        truth = comparison.parts.learnt_targets[comparison.parts.validation]
        accuracy = float((tried.logits.argmax(axis=1) == truth).mean())
    return _EMPTY | {
        "name": tried.candidate.name,
        "kind": "model",
        "recipe": tried.candidate.recipe,
        "backbone": tried.candidate.backbone or None,
        "status": {"trained": "lost", "stopped": "lost"}.get(tried.status, tried.status),
        "why": why,
        "split": "validation" if tried.logits is not None else None,
        "accuracy": accuracy,
        "training_s": tried.seconds or None,
    }


def _baseline_row(baseline: Baseline, comparison: Comparison) -> dict[str, Any]:
    forecast = baseline.forecast
    row = _EMPTY | {
        "name": baseline.name,
        "kind": "baseline",
        "status": "lost",
        "why": baseline.reason,
    }
    if forecast is None:
        hosting = baseline.costs.hosting
        if hosting is not None:
            requests = np.array([comparison.mean_requests])
            row["cost_month"] = float(hosting.cost_per_month(requests)[0])
        return row | {"status": "not run"}
    profit = _money(forecast.profit)
    value = float(forecast.reconciliation.e_model)
    difference = float(comparison.chosen.forecast.profit.mean) - profit["mean"]
    better = format_money(abs(difference), forecast.profit.currency)
    return row | {
        "split": "test",
        "automated_share": None if forecast.handed_share else 0.0,
        "value_month": value,
        "cost_month": _difference(value, profit["mean"]),
        "profit_month": profit,
        "why": f"earns {better} a month {'less' if difference >= 0 else 'MORE'} than the model",
    }


def _difference(value: float, profit: float) -> float:
    """What lies between value and profit; amounts that are equal to rounding differ by nothing."""
    return 0.0 if np.isclose(value, profit, rtol=1e-9, atol=1e-6) else value - profit


def _waterfall(forecast: Forecast) -> list[dict[str, Any]]:
    steps = [{"step": s.name, "amount": float(s.amount)} for s in forecast.waterfall]
    steps[-1]["total"] = True
    return steps


def _confusion(comparison: Comparison, workshop: Workshop, worlds: Worlds) -> dict[str, Any]:
    """Counts on test rows, and what each cell earns or loses in the mean month.

    Where the requests to come have a stated mix, each true label counts by its share of that.
    """
    labels = comparison.parts.labels
    counts = np.zeros((len(labels), len(labels) + 1), np.int64)
    np.add.at(counts, (comparison.parts.test_targets, comparison.chosen.actions), 1)
    shares = counts / counts.sum()
    stated = workshop.terms.expected_mix
    if stated is not None:
        seen = counts.sum(axis=1)
        mix = label_mix(stated, labels, "expected mix") * (seen > 0)
        shares = counts * (mix / mix.sum() / np.maximum(seen, 1))[:, None]
    truth, actions = comparison.parts.test_targets, comparison.chosen.actions
    worths = np.zeros(counts.shape)
    realised = workshop.judge.policy.realised(truth, actions, comparison.parts.test_segments)
    np.add.at(worths, (truth, actions), realised)
    money = shares * float(worlds.requests.mean()) * worths / np.maximum(counts, 1)
    return {
        "labels": list(labels),
        "actions": [*labels, "handoff"],
        "counts": counts.tolist(),
        "money": np.round(money, 4).tolist(),
    }


def _reproduce(comparison: Comparison, workshop: Workshop) -> dict[str, Any]:
    machine = comparison.chosen.evidence.machine
    return {
        "command": f"payoff run … --seed {workshop.bench.seed}",
        "seed": workshop.bench.seed,
        "versions": versions(),
        "data_fingerprint": comparison.learnt_fingerprint,
        "machine": machine and f"{machine.cpu}, {machine.cores} cores, {machine.system}",
        "seconds": round(comparison.seconds, 1),
        "prices": workshop.terms.prices.fingerprint(),
    }
