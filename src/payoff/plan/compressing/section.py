"""What is told of a walk: every form with its size, speed, loss and profit, as plain values."""

from __future__ import annotations

from typing import Any

from payoff.plan.compressing.frontier import frontier
from payoff.plan.compressing.limits import Limits
from payoff.plan.compressing.walk import Walked
from payoff.plan.options import Option


def section_of(
    walked: Walked, chosen: Option, limits: Limits, *, lost_on_test: float
) -> dict[str, Any]:
    """The section ``compression`` of a summary.

    Args:
        walked: All forms, on validation rows.
        chosen: The one that was taken.
        limits: What had to hold.
        lost_on_test: Points of accuracy that it is below the whole model on test rows, where both
            learnt from the same rows.
    """
    front = {one.name for one in frontier([walked.positions[o.name] for o in walked.options])}
    forms = [
        {
            **_form(option, walked.whole, limits),
            "value_each": walked.positions[option.name].value,
            "status": _status(option, chosen, walked.whole, limits, front),
        }
        for option in walked.options
    ]
    return {
        "whole": walked.whole.name,
        "chosen": chosen.name,
        "lost_on_test": lost_on_test,
        "smaller": _bytes(walked.whole) / _bytes(chosen),
        "limits": {
            "most_lost": limits.most_lost,
            "largest_mb": limits.largest_mb,
            "slowest_ms": limits.slowest_ms,
        },
        "forms": forms,
        "refused": [{"name": one.name, "why": one.why} for one in walked.refused],
    }


def _form(option: Option, whole: Option, limits: Limits) -> dict[str, Any]:
    evidence, latency = option.evidence, option.evidence.latency
    footprint = evidence.footprint
    assert latency is not None
    assert footprint is not None
    profit = option.forecast.profit
    low, high = profit.interval(0.9)
    return {
        "name": option.name,
        "model": option.candidate.name,
        "way": option.precision,
        "size_bytes": footprint.artifact_bytes,
        "memory_bytes": footprint.peak_rss_bytes,
        "start_s": footprint.start_s,
        "p50_ms": latency.p50_ms,
        "p95_ms": latency.p95_ms,
        "texts_per_s": latency.texts_per_s,
        "accuracy": evidence.quality.accuracy,
        "lost": limits.lost(option, whole),
        "hosting": option.hosting.name,
        "profit": {
            "mean": float(profit.mean.amount),
            "low": float(low.amount),
            "high": float(high.amount),
        },
    }


def _status(option: Option, chosen: Option, whole: Option, limits: Limits, front: set[str]) -> str:
    if option is chosen:
        return "chosen"
    if limits.broken(option, whole):
        return "beyond a limit"
    return "on the frontier" if option.name in front else "behind another"


def _bytes(option: Option) -> int:
    assert option.evidence.footprint is not None
    return option.evidence.footprint.artifact_bytes
