"""The hold-back that follows a promotion: what it promises, on some hundred made-up ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.hold_back import HoldBack
from payoff.learn.experiments.holding_back import held_back, roll_back_alert
from payoff.learn.experiments.look import look_at
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.experiments.rehearsal import Market, draw, rehearse
from payoff.learn.experiments.requests import Requests, drawn
from payoff.learn.experiments.sizing import Size

MARKET = Market(requests_per_day=100.0, customers=1500)
LATE = replace(MARKET, label_days=1.5, label_share=0.6, boast=1.0)
HELD = HoldBack(share=0.1, days=14)


def promoted(rule: HoldBack | None, *, shares: tuple[float, ...] = (0.5,)) -> Course:
    stages = tuple(Stage(f"2026-01-0{i + 1}T00:00:00.000000Z", s) for i, s in enumerate(shares))
    return replace(EXAMPLE, experiment=replace(EXAMPLE.experiment, hold_back=rule), stages=stages)


def requests(market: Market, days: int = 14) -> Requests:
    """What an experiment would have seen of a market, with all outcomes told."""
    found = draw(market, days, seed=10**6)
    n = len(found.day)
    return Requests(
        customer=found.customer,
        treated=found.bucket[found.customer] < 0.5,
        stage=np.zeros(n, dtype=np.int64),
        day=found.day,
        expected=found.expected,
        realised=found.control,
        handed_over=found.handed_over,
        latency_ms=np.zeros(n),
        earlier=found.earlier,
    )


def planned(market: Market, rule: HoldBack = HELD) -> tuple[Experiment, Size]:
    found = held_back(promoted(rule), requests(market))
    assert found is not None
    experiment, size = found
    assert size is not None
    return experiment, size


def test_nobody_is_held_back_where_that_was_not_stated() -> None:
    assert held_back(promoted(None), requests(MARKET)) is None


def test_the_arms_and_the_rules_are_those_of_before() -> None:
    before = promoted(HELD)
    after, size = planned(MARKET)
    assert (after.mode, after.ramp, after.first_share) == (Mode.HOLD_BACK, (0.9,), 0.9)
    assert (after.control, after.treatment) == ("a" * 64, "b" * 64)
    assert (after.serving, after.beside) == ("b" * 64, "a" * 64)
    assert (before.experiment.serving, before.experiment.beside) == ("a" * 64, "b" * 64)
    assert (after.horizon_days, after.least_days, after.hold_back) == (14.0, 7.0, None)
    # Information restated by hand: about a hundred requests a day, nine in ten of them treated.
    assert after.planned_information == pytest.approx(100 * 14 * 0.9 * 0.1, rel=0.1)
    assert size.days == 14
    assert 0 < size.most_lost <= size.worst_harm * 100 * 14


def test_it_lasts_longer_where_outcomes_mature_late() -> None:
    before = promoted(HELD)
    late = replace(before, experiment=replace(before.experiment, maturity_days=30.0))
    found = held_back(late, requests(MARKET))
    assert found is not None
    assert found[0].horizon_days == 44.0
    assert found[0].maturity_days == 30.0
    assert found[0].planned_information == pytest.approx(planned(MARKET)[0].planned_information)


def test_names_are_new_and_short_enough() -> None:
    taken = {"new-head-hold-back", "new-head-hold-back-2"}
    found = held_back(promoted(HELD), requests(MARKET), taken=taken)
    assert found is not None
    assert found[0].name == "new-head-hold-back-3"
    long = promoted(HELD)
    long = replace(long, experiment=replace(long.experiment, name="x" * 100))
    longest = held_back(long, requests(MARKET))
    assert longest is not None
    assert longest[0].name == "x" * 80 + "-hold-back"


def test_with_few_requests_it_is_as_careful_as_can_be() -> None:
    found = held_back(promoted(HELD), drawn(20))
    assert found is not None
    experiment, size = found
    assert size is None  # nobody can promise anything
    assert experiment.planned_information > 0
    none = held_back(promoted(HELD), drawn(0))
    assert none is not None
    assert none[0].planned_information > 0


def test_shadows_are_nobody_s_requests() -> None:
    """In the shadow each request has two rows; half as many come."""
    in_shadow = promoted(HELD, shares=(0.0,))
    found, usual = (held_back(c, requests(MARKET)) for c in (in_shadow, promoted(HELD)))
    assert found is not None
    assert usual is not None
    share = found[0].planned_information / usual[0].planned_information
    assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("market", [MARKET, LATE])
def test_a_version_that_is_as_good_is_rolled_back_once_in_twenty_at_most(market: Market) -> None:
    experiment, _ = planned(market)
    n = 80
    found = [rehearse(experiment, market, seed=seed) for seed in range(n)]
    back = np.mean([one.advice is Advice.ROLL_BACK for one in found])
    assert back <= 0.05 + math.sqrt(0.05 / n)
    assert {one.advice for one in found} <= {Advice.ROLL_BACK, Advice.KEEP}  # it has an end
    kept = [one.day for one in found if one.look.gain.low <= 0 and one.advice is Advice.KEEP]
    assert set(kept) == {14}


@pytest.mark.parametrize("harm", [1.0, 4.0, 10.0])
def test_a_bad_version_is_rolled_back_having_lost_at_most_what_was_promised(harm: float) -> None:
    experiment, size = planned(MARKET)
    found = [rehearse(experiment, MARKET, effect=-harm, seed=seed) for seed in range(40)]
    lost = np.array([one.lost for one in found])
    assert np.mean(lost <= size.most_lost) >= 0.95
    if harm > 1.0:
        assert np.mean([one.advice is Advice.ROLL_BACK for one in found]) >= 0.95


def test_a_version_that_surely_earns_more_holds_nobody_back_any_longer() -> None:
    experiment, _ = planned(MARKET, HoldBack(share=0.4, days=20))
    kind = replace(MARKET, wrong=(0.3, 0.1))
    found = rehearse(experiment, kind, effect=5.0, seed=1)
    assert found.advice is Advice.KEEP
    assert 7 <= found.day < 20
    assert found.look.gain.low > 0


def test_the_alert_has_the_money_by_hand() -> None:
    experiment, _ = planned(MARKET)
    course = Course(experiment=experiment, policy=EXAMPLE.policy, stages=EXAMPLE.stages[:1])
    look = look_at(course, drawn(3000, gain=-4.0), "2026-01-11T00:00:00Z")
    alert = roll_back_alert(course, look)
    # Ten days with 300 requests each.
    assert alert.a_day == pytest.approx(-300 * look.gain.estimate)
    assert (alert.low, alert.high) == pytest.approx((-300 * look.gain.high, -300 * look.gain.low))
    assert (alert.n_requests, alert.n_labels, alert.mended) == (3000, 3000, True)
    assert alert.sentence.startswith("support lost ")
    assert "bbbbbbbbbbbb was promoted and is withdrawn: it loses" in alert.sentence
