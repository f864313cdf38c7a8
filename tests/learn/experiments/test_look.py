from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from payoff.core.findings import Status
from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.look import Look, look_at
from payoff.learn.experiments.requests import Requests, drawn

NOW = "2026-01-11T00:00:00.000000Z"
HALF = replace(EXAMPLE, stages=(Stage("2026-01-01T00:00:00.000000Z", 0.5),))


def ruled(**rules: object) -> Course:
    return replace(HALF, experiment=replace(HALF.experiment, **rules))  # type: ignore[arg-type]


def look(requests: Requests, course: Course = HALF) -> Look:
    return look_at(course, requests, NOW)


def statuses(found: Look) -> dict[str, Status]:
    return {finding.code: finding.status for finding in found.findings}


def test_a_gain_is_seen_in_money_a_month() -> None:
    found = look(drawn(6000, gain=2.0))
    assert found.gain.low < 2.0 < found.gain.high
    assert found.gain.low > 0
    assert found.recommendation.advice.value == "promote"
    per_month = 600 * 365.25 / 12
    assert found.gain_per_month.estimate == pytest.approx(found.gain.estimate * per_month, rel=1e-3)
    stated = look_at(HALF, drawn(6000, gain=2.0), NOW, requests_per_month=100.0)
    assert stated.gain_per_month == stated.gain.scaled(100.0)
    assert found.control.requests + found.treatment.requests == 6000
    assert found.control.known == found.treatment.known == 1.0
    assert set(statuses(found).values()) == {Status.PASSED, Status.NOT_APPLICABLE}


def test_other_money_and_other_names_of_the_arms() -> None:
    requests = drawn(4000, gain=0.5)
    ours = look(requests)
    dear = replace(requests, realised=10 * requests.realised, expected=10 * requests.expected)
    wide = ruled(low=-250.0, high=30.0)
    assert look(dear, wide).gain.low == pytest.approx(10 * ours.gain.low)
    assert look(dear, wide).regret.high == pytest.approx(10 * ours.regret.high)
    other = look(replace(requests, treated=~requests.treated))
    assert other.gain.estimate == pytest.approx(-ours.gain.estimate)
    assert (other.gain.low, other.gain.high) == pytest.approx((-ours.gain.high, -ours.gain.low))


def test_with_nobody_yet() -> None:
    found = look(drawn(0))
    assert (found.gain.low, found.gain.high) == (-28.0, 28.0)
    assert found.recommendation.advice.value == "wait" or found.recommendation.share
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert document["arms"]["control"]["profit_per_request"] is None
    assert document["standard_error"] is None
    assert statuses(found)["PF744"] is Status.NOT_CHECKED


def test_the_models_word_alone_is_never_believed() -> None:
    requests = drawn(4000)
    boast = replace(
        requests,
        realised=np.full(4000, np.nan),
        expected=requests.expected + 20.0 * requests.treated,
    )
    found = look(boast)
    assert statuses(found)["PF744"] is Status.FAILED
    assert found.gain.low == -28.0
    assert found.recommendation.advice.value == "wait"
    few = np.where(np.arange(4000) < 40, requests.realised, np.nan)
    assert statuses(look(replace(boast, realised=few)))["PF744"] is Status.NOT_CHECKED


def test_customers_in_both_arms_are_found() -> None:
    requests = drawn(3000)
    mixed = replace(requests, treated=requests.treated ^ (np.arange(3000) % 50 == 0))
    assert statuses(look(mixed))["PF741"] is Status.FAILED
    assert look(mixed).recommendation.advice.value == "wait"


def test_customers_that_a_ramp_moved_are_not_in_both_arms() -> None:
    requests = drawn(4000)
    share = [0.25, 0.5]
    bucket = np.random.default_rng(0).random(4000)[requests.customer]
    stage = (requests.day > 5).astype(np.int64)
    ramped = replace(requests, treated=bucket < np.array(share)[stage], stage=stage)
    begun = "2026-01-01T00:00:00.000000Z"
    course = replace(HALF, stages=(Stage(begun, 0.25), Stage("2026-01-06T00:00:00.0Z", 0.5)))
    found = look(ramped, course)
    assert statuses(found)["PF741"] is Status.PASSED
    assert statuses(found)["PF740"] is Status.PASSED


def test_young_requests_wait_for_their_outcomes() -> None:
    requests = drawn(3000)
    found = look(requests, ruled(maturity_days=4.0))
    assert found.control.requests + found.treatment.requests == (requests.day <= 6).sum()


def test_in_the_shadow_pairs_are_compared_and_nobody_is_shared_out() -> None:
    n = 1500
    one = drawn(n)
    pair = np.arange(2 * n) // 2
    both = one.ordered(pair, one.customer[pair])
    treated = np.arange(2 * n) % 2 == 1
    better = np.where(treated & (np.arange(2 * n) % 20 == 1), 3.0, both.realised)
    shadow = replace(both, treated=treated, realised=better)
    experiment: Experiment = replace(HALF.experiment, mode=Mode.SHADOW)
    begun = (Stage("2026-01-01T00:00:00.000000Z", 0.0),)
    course = replace(HALF, experiment=experiment, stages=begun)
    found = look(shadow, course)
    assert statuses(found)["PF740"] is Status.NOT_CHECKED
    assert statuses(found)["PF741"] is Status.NOT_APPLICABLE
    assert found.recommendation.share == 0.01
    assert found.standard_error < 0.5 * look(drawn(2 * n)).standard_error
    assert found.gain_per_month.estimate == pytest.approx(
        found.gain.estimate * 150 * 365.25 / 12, rel=1e-3
    )
    assert found.regret.estimate == pytest.approx(found.gain.estimate * n)  # nobody is treated


def test_earlier_profit_cuts_the_variance() -> None:
    requests = drawn(4000)
    mean = np.bincount(requests.customer, requests.realised) / np.maximum(
        np.bincount(requests.customer), 1
    )
    known = replace(requests, earlier=mean[requests.customer])
    assert look(known).variance_cut > 0.3
    assert look(known).standard_error < look(requests).standard_error
    assert look(requests).variance_cut == 0.0
