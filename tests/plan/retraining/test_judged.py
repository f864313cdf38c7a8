"""The comparison in money: intervals that hold, and weights as requests come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from payoff.core.findings import Finding, Status
from payoff.plan.retraining.judged import Judged, bootstrap


def test_the_interval_holds_where_customers_resemble_themselves() -> None:
    """Over 300 worlds the 90 % interval holds the true gain in 85 to 95 %."""
    rng = np.random.default_rng(1)
    true_gain, held, naive = 0.4, 0, 0
    n_customers, n_each = 60, 5
    for seed in range(300):
        own = rng.normal(0, 1.0, n_customers)
        customers = np.repeat(np.arange(n_customers), n_each)
        gains = true_gain + own[customers] + rng.normal(0, 1.0, len(customers))
        ones = np.ones(len(gains))
        for names, together in ((customers, True), (np.arange(len(gains)), False)):
            draws = bootstrap(gains, ones, [str(name) for name in names], seed=seed)
            low, high = np.quantile(draws, (0.05, 0.95))
            inside = bool(low <= true_gain <= high)
            held, naive = held + (inside and together), naive + (inside and not together)
    assert 0.85 <= held / 300 <= 0.95
    assert naive / 300 < 0.8  # what would be told if customers did not count


def test_what_few_judges_do_not_show_may_be_there() -> None:
    names = [str(n) for n in range(40)]
    ones, nothing = np.ones(40), np.zeros(40)
    alike = bootstrap(nothing, ones, names, seed=0, unseen=4.0)
    assert np.quantile(alike, 0.05) < -0.05
    assert np.quantile(alike, 0.95) > 0.05
    assert 0.4 < (alike > 0).mean() < 0.6
    three = nothing.copy()
    three[:3] = 4.0
    won = bootstrap(three, ones, names, seed=0)
    assert 0.85 < (won > 0).mean() < 1.0  # three wins and no loss prove little
    many = bootstrap(np.where(np.arange(40) < 20, 4.0, 0.0), ones, names, seed=0)
    assert (many > 0).mean() > 0.999


@pytest.mark.parametrize(
    ("gain", "cost", "status"),
    [(1.0, 1.0, Status.PASSED), (1.0, 1e6, Status.FAILED), (-1.0, 0.0, Status.FAILED)],
)
def test_a_gain_must_be_probable_and_above_its_cost(
    gain: float, cost: float, status: Status
) -> None:
    draws = np.random.default_rng(0).normal(gain, 0.3, 2000)
    weighed = Finding("PF778", "", Status.PASSED)
    worths = np.random.default_rng(1).normal(1.0 + gain, 0.3, 2000)
    judged = Judged(1.0, 1.0 + gain, draws, 50, 50, 0.8, 0.9, 0.1, 0.1, (), (), weighed, worths)
    mean, low, high = judged.forecast_each
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.645 * 0.3, rel=0.1)
    finding = judged.verdict(1000, months=6, cost=cost, currency="USD")
    assert (finding.code, finding.status) == ("PF773", status)
    assert "USD" in finding.detail
    unsure = replace(judged, gains=np.random.default_rng(0).normal(gain, 100.0, 2000))
    assert unsure.verdict(1000, months=6, cost=cost, currency="USD").failed
