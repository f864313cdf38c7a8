from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.findings import Status
from payoff.learn.experiments.sample_ratio import LEVEL, sample_ratio_finding, sample_ratio_p


def test_it_is_the_ratio_of_beta_functions_restated() -> None:
    rng = np.random.default_rng(0)
    arm = rng.random(60) < 0.8
    share, k = 0.5, 100.0

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    largest = 0.0
    for n in range(1, 61):
        treated = int(arm[:n].sum())
        foretold = log_beta(k * share + treated, k * (1 - share) + n - treated)
        foretold -= log_beta(k * share, k * (1 - share))
        largest = max(largest, foretold - n * math.log(0.5))
    assert sample_ratio_p(arm, np.zeros(60, int), [share]) == pytest.approx(math.exp(-largest))


def test_true_shares_are_hardly_ever_suspected_whenever_one_looks() -> None:
    rng = np.random.default_rng(1)
    stage = np.repeat([0, 1, 2], [200, 400, 900])
    shares = [0.01, 0.05, 0.5]
    found = [
        sample_ratio_p(rng.random(1500) < np.array(shares)[stage], stage, shares) < LEVEL
        for _ in range(2000)
    ]
    assert np.mean(found) <= LEVEL + 2 * math.sqrt(LEVEL / 2000)


@pytest.mark.parametrize(("share", "true"), [(0.5, 0.46), (0.05, 0.02), (0.25, 0.31)])
def test_lost_customers_are_found(share: float, true: float) -> None:
    rng = np.random.default_rng(2)
    found = [
        sample_ratio_p(rng.random(6000) < true, np.zeros(6000, int), [share]) < LEVEL
        for _ in range(50)
    ]
    assert np.mean(found) > 0.9


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=200), st.floats(0.02, 0.98))
def test_other_names_of_the_arms_change_nothing(arms: list[bool], share: float) -> None:
    arm, stage = np.array(arms), np.zeros(len(arms), int)
    ours = sample_ratio_p(arm, stage, [share])
    assert sample_ratio_p(~arm, stage, [1 - share]) == pytest.approx(ours, rel=1e-6)
    assert 0 <= ours <= 1


def test_more_looks_never_clear_a_suspicion() -> None:
    arm = np.concatenate([np.ones(100, bool), np.arange(20_000) % 2 == 0])
    stage = np.zeros(len(arm), int)
    early = sample_ratio_p(arm[:100], stage[:100], [0.5])
    assert early < LEVEL
    assert sample_ratio_p(arm, stage, [0.5]) <= early


def test_as_a_finding() -> None:
    nobody = sample_ratio_finding(np.empty(0, bool), np.empty(0, int), [0.5])
    assert nobody.status is Status.NOT_CHECKED
    even = sample_ratio_finding(np.arange(100) % 2 == 0, np.zeros(100, int), [0.5])
    assert even.status is Status.PASSED
    one = sample_ratio_finding(np.ones(3, bool), np.zeros(3, int), [0.0])
    assert one.code == "PF740"
    assert one.failed
