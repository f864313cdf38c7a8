"""The promises, on some hundred made-up experiments; `benchmarks/experiments.py` has thousands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.gain import spread_of
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.experiments.rehearsal import Market, Rehearsal, draw, rehearse
from payoff.learn.experiments.sizing import Size, size_of

MARKET = Market()
LATE = Market(label_days=1.5, label_share=0.6, boast=1.0)


def planned(market: Market, *, gain: float = 1.0, harm: float | None = None) -> Size:
    noise = [
        spread_of(one.control, one.customer) ** 2
        for one in (draw(market, 14, seed=10**6 + i) for i in range(30))
    ]
    return size_of(
        gain=gain,
        harm=harm,
        spread=float(np.sqrt(np.mean(noise))),
        requests_per_day=market.requests_per_day,
        requests_per_customer=4.0,
        most_harm=26.0,
    )


def runs(market: Market, n: int, *, effect: float = 0.0, mode: Mode = Mode.LIVE) -> list[Rehearsal]:
    size = planned(market)
    experiment: Experiment = replace(
        EXAMPLE.experiment,
        mode=mode,
        planned_information=size.planned_information,
        horizon_days=float(size.days),
    )
    return [rehearse(experiment, market, effect=effect, seed=seed) for seed in range(n)]


@pytest.mark.parametrize("market", [MARKET, LATE])
def test_false_alarms_are_at_most_one_in_twenty(market: Market) -> None:
    n = 200
    found = runs(market, n)
    alarms = np.mean([one.advice in (Advice.PROMOTE, Advice.HARMFUL) for one in found])
    missed = np.mean([one.missed for one in found])
    assert alarms <= 0.05 + math.sqrt(0.05 / n)
    assert missed <= 0.05 + math.sqrt(0.05 / n)
    assert abs(np.mean([one.look.gain.estimate for one in found])) < 0.1


def test_the_promised_gain_is_seen() -> None:
    found = runs(MARKET, 100, effect=1.0)
    assert np.mean([one.advice is Advice.PROMOTE for one in found]) >= 0.8


@pytest.mark.parametrize("harm", [1.0, 4.0])
def test_a_harmful_arm_loses_at_most_what_was_promised(harm: float) -> None:
    size = planned(MARKET, harm=harm)
    found = runs(MARKET, 100, effect=-harm)
    lost = np.array([one.lost for one in found])
    assert np.mean(lost <= size.most_lost_at_harm) >= 0.95
    assert lost.max() <= size.most_lost
    if harm == 4.0:
        assert all(one.advice is Advice.HARMFUL for one in found)


def test_dear_errors_that_have_not_been_seen_yet_are_reckoned_with() -> None:
    """A treatment without the one error in 200 that costs 25: at first no arm shows any."""
    rare = Market(amounts=(0.3, -1.0, -25.0), wrong=(0.05, 0.005), handoff=-1.0)
    experiment = replace(EXAMPLE.experiment, planned_information=400.0, horizon_days=11.0)
    found = [rehearse(experiment, rare, effect=0.3, seed=seed) for seed in range(100)]
    assert np.mean([one.missed for one in found]) <= 0.05


def test_a_bandit_keeps_the_promise_and_loses_less() -> None:
    quiet = runs(MARKET, 150, mode=Mode.BANDIT)
    alarms = np.mean([one.advice in (Advice.PROMOTE, Advice.HARMFUL) for one in quiet])
    assert alarms <= 0.05 + math.sqrt(0.05 / 150)
    harmful = runs(MARKET, 40, effect=-1.0, mode=Mode.BANDIT)
    treated = [one.look.treatment.requests / one.look.control.requests for one in harmful]
    assert np.median(treated) < 0.5


def test_what_is_drawn_has_the_effect_and_the_skew_that_were_asked_for() -> None:
    for effect in (-2.0, 0.0, 1.0):
        drawn = [draw(MARKET, 20, effect=effect, seed=seed) for seed in range(20)]
        off = np.mean([(one.treatment - one.control).mean() for one in drawn])
        assert off == pytest.approx(effect, abs=0.05)
    one = drawn[0]
    assert set(np.unique(one.control)) == {-25.0, -8.0, -2.0, 3.0}
    n = np.bincount(one.customer, minlength=MARKET.customers)
    assert n.std() > 0.9 * n.mean()
    same = draw(MARKET, 20, effect=1.0, seed=0)
    assert same.control.tolist() == draw(MARKET, 20, effect=1.0, seed=0).control.tolist()
