from __future__ import annotations

import math
from dataclasses import replace

import pytest

from payoff.core.findings import Finding, Status
from payoff.learn.experiments.confidence_sequence import Interval
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.recommendation import Advice, Recommendation, Seen, recommend

PLAIN = EXAMPLE.experiment
QUIET = Seen(
    gain=Interval(0.1, -0.5, 0.7),
    standard_error=0.2,
    information=500.0,
    share=0.5,
    days=8.0,
    days_in_stage=4.0,
)


def said(experiment: Experiment = PLAIN, **changed: object) -> Recommendation:
    return recommend(experiment, replace(QUIET, **changed))  # type: ignore[arg-type]


def failed(code: str) -> tuple[Finding]:
    return (Finding(code, "t", Status.FAILED, "what was seen"),)


def test_it_waits_where_nothing_is_sure() -> None:
    found = said()
    assert found.advice is Advice.WAIT
    assert found.sentence == "Wait: 25% of the planned requests are seen."


def test_a_sure_gain_is_promoted_after_a_week() -> None:
    sure = Interval(0.5, 0.2, 0.8)
    assert said(gain=sure).advice is Advice.PROMOTE
    assert said(gain=sure).sentence == "Promote: it gains 0.20 USD to 0.80 USD a request."
    assert said(gain=sure, days=6.9).advice is Advice.WAIT
    assert said(gain=sure, days=99.0).advice is Advice.PROMOTE


def test_a_sure_loss_stops_at_once_and_before_anything_else() -> None:
    loss = Interval(-0.5, -0.8, -0.2)
    assert said(gain=loss, days=0.1).advice is Advice.HARMFUL
    assert said(gain=loss, findings=failed("PF740")).advice is Advice.HARMFUL


@pytest.mark.parametrize("code", ["PF742", "PF743"])
def test_a_guardrail_stops_whatever_is_gained(code: str) -> None:
    found = said(gain=Interval(0.5, 0.2, 0.8), findings=failed(code))
    assert found.advice is Advice.HARMFUL
    assert found.why == "what was seen"


@pytest.mark.parametrize("code", ["PF740", "PF741", "PF744"])
def test_figures_that_cannot_be_trusted_lead_to_nothing(code: str) -> None:
    assert said(gain=Interval(0.5, 0.2, 0.8), findings=failed(code)).advice is Advice.WAIT
    assert said(share=0.01, findings=failed(code)).advice is Advice.WAIT


def test_the_ramp_goes_on_after_its_days() -> None:
    assert said(share=0.05, days=2.0, days_in_stage=1.0).share == 0.25
    assert said(share=0.05, days=2.0, days_in_stage=0.9).advice is Advice.WAIT
    assert said(share=0.05, days=2.0, days_in_stage=1.0).sentence.startswith("Ramp to 25%: ")
    unknown = (Finding("PF744", "t", Status.NOT_CHECKED),)
    blind = Interval(0.0, -28.0, 28.0)
    assert said(share=0.01, days=2.0, gain=blind, findings=unknown).share == 0.05


def test_no_gain_in_sight() -> None:
    assert said(days=28.0).advice is Advice.NO_GAIN
    picky = replace(PLAIN, minimum_gain=1.0)
    assert said(picky).advice is Advice.NO_GAIN
    assert "1.00 USD were asked for" in said(picky).why
    assert said(share=0.05, days_in_stage=1.0, days=28.0).advice is Advice.NO_GAIN


def test_the_shadow_comes_to_light_and_is_never_promoted_from_there() -> None:
    shadow = replace(PLAIN, mode=Mode.SHADOW)
    sure = Interval(0.5, 0.2, 0.8)
    found = said(shadow, share=0.0, gain=sure)
    assert found.advice is Advice.RAMP
    assert found.share == 0.01
    assert said(shadow, share=0.0, gain=Interval(-1, -2, -0.1)).advice is Advice.HARMFUL


def test_a_bandit_goes_where_more_is_earned() -> None:
    bandit = replace(PLAIN, mode=Mode.BANDIT)
    assert said(bandit, gain=Interval(0.2, -0.1, 0.5)).share == 0.85
    assert said(bandit, gain=Interval(-0.2, -0.5, 0.1)).share == 0.15
    assert said(bandit, gain=Interval(0.0, -0.5, 0.5)).advice is Advice.WAIT
    unknown = Interval(0.0, -28.0, 28.0)
    assert said(bandit, gain=unknown, standard_error=math.inf).advice is Advice.WAIT
    assert said(bandit, gain=Interval(0.5, 0.2, 0.8)).advice is Advice.PROMOTE


def test_as_plain_values() -> None:
    plain = said(share=0.05).as_dict()
    assert plain["advice"] == "ramp"
    assert plain["share"] == 0.25
