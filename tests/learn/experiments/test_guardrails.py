from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from payoff.core.findings import Status
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.guardrails import Guardrails, guardrail_findings
from payoff.learn.experiments.requests import Requests, drawn


def guarded(**limits: float) -> Experiment:
    return replace(EXAMPLE.experiment, guardrails=Guardrails(**limits))


def slow(share: float, n: int = 6000) -> Requests:
    requests = drawn(n)
    late = requests.treated & (np.random.default_rng(1).random(n) < share)
    return replace(requests, latency_ms=np.where(late, 900.0, 20.0))


@pytest.mark.parametrize(("share", "status"), [(0.0, "passed"), (0.005, "passed"), (0.2, "failed")])
def test_latency(share: float, status: str) -> None:
    found, _ = guardrail_findings(slow(share), guarded(slow_ms=200.0))
    assert found.code == "PF742"
    assert found.status.value == status


def test_a_slowness_that_both_arms_have_is_no_failure() -> None:
    requests = drawn(6000)
    both = replace(requests, latency_ms=np.full(6000, 900.0))
    assert guardrail_findings(both, guarded(slow_ms=200.0))[0].status is Status.PASSED


@pytest.mark.parametrize(("harm", "status"), [(0.0, "passed"), (3.0, "failed")])
def test_cost_of_errors(harm: float, status: str) -> None:
    requests = drawn(6000)
    worse = requests.treated & (np.random.default_rng(1).random(6000) < harm / 28)
    dear = replace(requests, realised=np.where(worse, -25.0, requests.realised))
    _, found = guardrail_findings(dear, guarded(most_error_cost=0.5))
    assert found.code == "PF743"
    assert found.status.value == status


def test_handing_over_is_no_error_and_what_is_not_known_none_either() -> None:
    requests = drawn(6000)
    handed = requests.treated & (np.arange(6000) % 3 == 0)
    cautious = replace(
        requests, handed_over=handed, realised=np.where(handed, -20.0, requests.realised)
    )
    assert guardrail_findings(cautious, guarded(most_error_cost=0.0))[1].status is Status.PASSED
    half = np.arange(6000) % 2 == 0
    told = replace(requests, realised=np.where(half, requests.realised, np.nan))
    assert guardrail_findings(told, guarded(most_error_cost=0.5))[1].status is Status.PASSED


def test_gains_elsewhere_do_not_pay_for_dear_errors() -> None:
    requests = drawn(9000)
    rng = np.random.default_rng(2)
    dear = requests.treated & (rng.random(9000) < 0.1)
    outcome = np.where(dear, -25.0, requests.realised + 20.0 * requests.treated)
    risky = replace(requests, realised=outcome)
    assert guardrail_findings(risky, guarded(most_error_cost=0.5))[1].failed


def test_few_customers_are_not_judged() -> None:
    for found in guardrail_findings(slow(1.0, 30), guarded(slow_ms=200.0, most_error_cost=0.1)):
        assert found.status is Status.NOT_CHECKED
