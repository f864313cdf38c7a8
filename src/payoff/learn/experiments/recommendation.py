"""Recommendation: what to do with an experiment, in one sentence, from what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from payoff.core.findings import Finding
from payoff.core.money import format_money
from payoff.learn.experiments.bandit import allocation
from payoff.learn.experiments.confidence_sequence import Interval
from payoff.learn.experiments.experiment import Experiment, Mode


class Advice(StrEnum):
    """What can be done with an experiment."""

    WAIT = "wait"
    RAMP = "ramp"
    HARMFUL = "stop: harmful"
    PROMOTE = "promote"
    NO_GAIN = "stop: no gain in sight"
    ROLL_BACK = "roll back"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and why.

    Args:
        advice: What to do.
        why: In a sentence.
        share: The share to ramp to; None where nothing is to be ramped.
    """

    advice: Advice
    why: str
    share: float | None = None

    @property
    def sentence(self) -> str:
        """Both in one sentence."""
        done = f"ramp to {self.share:.0%}" if self.share is not None else self.advice.value
        return f"{done[0].upper()}{done[1:]}: {self.why}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "advice": self.advice.value,
            "share": self.share,
            "why": self.why,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a recommendation follows from.

    Args:
        gain: A request, treatment less control, with its interval; the payoff's bounds where
            nothing is known yet.
        standard_error: Of the gain.
        information: Reached so far.
        share: Of the treatment now; 0 in the shadow.
        days: Since the experiment began.
        days_in_stage: Since the share was last changed.
        findings: Of the sample ratio, the guardrails and the outcomes.
    """

    gain: Interval
    standard_error: float
    information: float
    share: float
    days: float
    days_in_stage: float
    findings: Sequence[Finding] = ()


def recommend(experiment: Experiment, seen: Seen) -> Recommendation:
    """What to do, decided by rules that were stated before the first request.

    In this order: a guardrail stops; a sure loss stops; where customers are shared out wrongly, or
    nobody tells outcomes, nothing is concluded; a sure gain is promoted, after ``least_days``; what
    has reached its planned end, or can no longer gain what is worth the trouble, is stopped; else
    the ramp goes on after ``step_days``.

    In a hold-back a guardrail and a sure loss roll back, and nothing else does: it is kept after
    ``horizon_days`` whatever was seen, and sooner where a gain is sure.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> seen = Seen(gain=Interval(-0.9, -1.5, -0.3), standard_error=0.2, information=100.0,
        ...             share=0.25, days=4.0, days_in_stage=1.0)
        >>> recommend(EXAMPLE.experiment, seen).sentence
        'Stop: harmful: it loses 0.30 USD to 1.50 USD a request.'
    """
    broken = [finding for finding in seen.findings if finding.failed]
    harm = Advice.ROLL_BACK if experiment.is_hold_back else Advice.HARMFUL
    for finding in broken:
        if finding.code in ("PF742", "PF743"):
            return Recommendation(harm, finding.detail)
    low, high = (format_money(abs(x), experiment.currency) for x in (seen.gain.low, seen.gain.high))
    if seen.gain.high < 0:
        return Recommendation(harm, f"it loses {high} to {low} a request")
    if experiment.is_hold_back and seen.days >= experiment.horizon_days:
        return _kept(experiment, broken)
    if broken:
        return Recommendation(Advice.WAIT, f"no figure can be trusted: {broken[0].detail}")
    if seen.gain.low > 0 and seen.days >= experiment.least_days and seen.share > 0:
        done = Advice.KEEP if experiment.is_hold_back else Advice.PROMOTE
        return Recommendation(done, f"it gains {low} to {high} a request")
    open_ended = seen.gain.low > 0 or experiment.is_hold_back
    ended = None if open_ended else _at_the_end(experiment, seen)
    return ended or _onward(experiment, seen)


def _kept(experiment: Experiment, broken: Sequence[Finding]) -> Recommendation:
    """At the end of a hold-back nobody stays with the old version, whatever is known."""
    why = f"after {experiment.horizon_days:g} days no loss is sure"
    if broken:
        why += f", and no figure can be trusted: {broken[0].detail}"
    return Recommendation(Advice.KEEP, why)


def _at_the_end(experiment: Experiment, seen: Seen) -> Recommendation | None:
    most = format_money(seen.gain.high, experiment.currency)
    if seen.gain.high < experiment.minimum_gain:
        least = format_money(experiment.minimum_gain, experiment.currency)
        return Recommendation(
            Advice.NO_GAIN, f"it gains {most} a request at most, and {least} were asked for"
        )
    if seen.days >= experiment.horizon_days:
        days = f"{experiment.horizon_days:g} days"
        return Recommendation(Advice.NO_GAIN, f"after {days} no gain is sure")
    return None


def _onward(experiment: Experiment, seen: Seen) -> Recommendation:
    if seen.share > 0 and experiment.mode is Mode.BANDIT:
        share: float | None = allocation(seen.gain.estimate, seen.standard_error)
        why = "so likely is the treatment the better arm"
    else:
        share = experiment.next_share(seen.share)
        if seen.share == 0.0 and experiment.mode is Mode.BANDIT:
            share = 0.5
        why = f"{seen.days_in_stage:.1f} days went by without harm"
    due = seen.days_in_stage >= experiment.step_days
    if due and share is not None and share != seen.share:
        return Recommendation(Advice.RAMP, why, share)
    part = min(1.0, seen.information / experiment.planned_information)
    return Recommendation(Advice.WAIT, f"{part:.0%} of the planned requests are seen")
