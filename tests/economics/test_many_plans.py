"""Many plans in many worlds: the quick ways give what the plain ways give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.core.money import Money
from payoff.economics import forecasts as module
from payoff.economics.break_even import break_even_volume
from payoff.economics.case import Case
from payoff.economics.charge import Charge, PerColdStart, PerInstance, PerRequest
from payoff.economics.conditions import Conditions
from payoff.economics.costs import CostLine, PlanCosts, Step
from payoff.economics.forecasts import forecast, forecasts, profit_by_month, profits
from payoff.economics.hosting import Hosting
from payoff.economics.ledger import post
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.traffic import Traffic
from payoff.economics.uncertain_money import ends, ends_alike
from payoff.economics.worlds import Worlds

LABELS = ("a", "b", "c")
RNG = np.random.default_rng(5)
TRUTH = RNG.integers(0, 3, 150)
STEADY = Worlds.draw(TRUTH, 3, Traffic(9_000, 6_000, 15_000), n_worlds=500, seed=3)
GROWING = Worlds.draw(
    TRUTH, 3, Traffic(9_000, 6_000, 15_000, growth_per_month=0.04), n_worlds=500, seed=3
)
WORTH = Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02, capacity_per_month=900))


def charge(step: Step, quantity: Any, price: str) -> Charge:
    return Charge(
        step, step.value, quantity, "unit", Money.of(price, "USD"), as_of=None, source="s",
        measured=True,
    )  # fmt: skip


def case(number: int) -> Case:
    rng = np.random.default_rng(number)
    actions = np.where(rng.random(150) < 0.7, TRUTH, rng.integers(0, 4, 150))
    limit = 3_000.0 + 1_000 * number
    charges = (
        charge(Step.INFERENCE, PerInstance(730.0, np.array([limit]), limit), "0.1"),
        charge(Step.TRANSFER, PerRequest(1e-3), "0.09"),
        charge(Step.API, PerColdStart(1.0, 5.0), "0.01"),
    )
    once = CostLine(
        Step.TRAINING, "x", 1, "unit", Money.of(900, "USD"), as_of=None, source="s", measured=True
    )
    hosting = Hosting("h", "p", "i", "", currency="USD", charges=charges)
    reference = Hosting("r", "p", "i", "", currency="USD", charges=charges[:1])
    costs = PlanCosts((once,), hosting=hosting, person=WORTH.person, months_until_retraining=5)
    outcome = Outcome.of_actions(WORTH, LABELS, TRUTH, actions)
    return Case(f"plan {number}", outcome, costs, reference)


CASES = [case(number) for number in range(5)]


@pytest.mark.parametrize("worlds", [STEADY, GROWING])
def test_together_they_are_told_as_one_by_one(worlds: Worlds) -> None:
    # Means over rows are added up in float32, in an order that depends on how many there are:
    # some cents of 40,000 earned.
    together = forecasts(CASES, worlds, currency="USD", nothing=-0.5)
    quick = profits(CASES, worlds, currency="USD", nothing=-0.5)
    for one, told, profit in zip(CASES, together, quick, strict=True):
        alone = forecast(
            one.name, gross_values=one.outcome.gross_values, handed_over=one.outcome.handed_over,
            right_values=one.outcome.right_values, costs=one.costs, worlds=worlds, currency="USD",
            nothing=-0.5, reference=one.reference,
        )  # fmt: skip
        np.testing.assert_allclose(told.profit.samples, alone.profit.samples, rtol=1e-5, atol=0.05)
        np.testing.assert_array_equal(told.profit.samples, profit.samples)
        flow = profit_by_month(one, worlds, currency="USD", nothing=-0.5)
        np.testing.assert_allclose(flow.mean(axis=1), profit.samples, rtol=1e-5, atol=0.05)
        assert told.reconcile().holds


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = forecasts(CASES, GROWING, currency="USD")
    monkeypatch.setattr(module, "_WORTH_THREADS", 1)
    monkeypatch.setattr(module, "physical_cores", lambda: 3)
    threaded = forecasts(CASES, GROWING, currency="USD")
    assert [to_json(told.as_dict()) for told in threaded] == [
        to_json(told.as_dict()) for told in plain
    ]


def test_months_that_are_alike_are_told_once_and_count_as_all() -> None:
    """Months that differ by a millionth are posted one by one; nothing else may differ."""
    almost = replace(STEADY, requests=STEADY.requests * (1 + 1e-9 * np.arange(12)))
    assert STEADY.posted_requests.shape == (500, 1)
    assert almost.posted_requests.shape == (500, 12)
    for one in CASES[:2]:
        (quick,), (plain,) = (forecasts([one], w, currency="USD") for w in (STEADY, almost))
        np.testing.assert_allclose(quick.profit.samples, plain.profit.samples, rtol=1e-6)
        for first, second in zip(quick.months, plain.months, strict=True):
            values = [second.month, second.mean, second.low, second.high]
            assert list(first.as_dict().values()) == pytest.approx(values, rel=1e-6)
        assert quick.payback_months == plain.payback_months
        for first, second in zip(quick.drivers, plain.drivers, strict=True):
            assert first.name == second.name
            assert float(first.low) == pytest.approx(float(second.low), rel=1e-6)
            assert float(first.high) == pytest.approx(float(second.high), rel=1e-6)
        assert [str(s.amount.rounded()) for s in quick.waterfall] == [
            str(s.amount.rounded()) for s in plain.waterfall
        ]


def test_factors_that_the_profit_is_affine_in_need_no_quantile_of_it() -> None:
    (told,) = forecasts(CASES[:1], STEADY, currency="USD")
    found = {driver.name: driver for driver in told.drivers}
    means = STEADY.mean_values(CASES[0].row_values(150)).astype(np.float64)
    met = Conditions(*means, STEADY.requests, STEADY.minutes_factor, STEADY.price_factor)
    plain = {
        "people's minutes": replace(met.mean(), minutes_factor=STEADY.minutes_factor),
        "cloud prices": replace(met.mean(), price_factor=STEADY.price_factor),
    }
    for name, varied in plain.items():
        ledger = post(varied, CASES[0].costs, horizon_months=12)
        low, high = np.quantile(ledger.profit.mean(axis=1), (0.05, 0.95))
        assert float(found[name].low) == pytest.approx(low, rel=1e-7)
        assert float(found[name].high) == pytest.approx(high, rel=1e-7)


@pytest.mark.parametrize(
    ("capacity", "n_handed"), [(None, 35), (300.0, 35), (900.0, 35), (1e9, 35), (3.0, 1)]
)
def test_quality_and_mix_are_varied_one_at_a_time(capacity: float | None, n_handed: int) -> None:
    """The short way for people who can take all is that of posting every world.

    Where one row is handed over, its share comes close to 0, and rounding may take it below.
    """
    person = Person(4, 30, 0.02, capacity_per_month=capacity)
    actions = np.where(np.arange(150) < n_handed, 3, np.where(np.arange(150) % 9, TRUTH, 0))
    outcome = Outcome.of_actions(WORTH, LABELS, TRUTH, actions)
    costs = replace(CASES[0].costs, person=person)
    one = replace(CASES[0], costs=costs, outcome=outcome)
    (told,) = forecasts([one], STEADY, currency="USD", nothing=-0.5)
    rows = one.row_values(150)
    means = STEADY.mean_values(rows).astype(np.float64)
    by_class = np.array([[row[label == TRUTH].mean() for label in range(3)] for row in rows])
    effects = by_class @ STEADY.mix.T
    off = effects - effects.mean(axis=1, keepdims=True)
    middle = [np.array([mean]) for mean in means.mean(axis=1)]
    rest = (
        STEADY.requests.mean(axis=0, keepdims=True), np.array([STEADY.minutes_factor.mean()]),
        np.array([STEADY.price_factor.mean()]),
    )  # fmt: skip
    varied = {"quality of the answers": means - off, "mix of labels": np.array(middle) + off}
    found = {driver.name: driver for driver in told.drivers}
    for name, values in varied.items():
        ledger = post(Conditions(*values, *rest), one.costs, nothing=-0.5, horizon_months=12)
        low, high = np.quantile(ledger.profit.mean(axis=1), (0.05, 0.95))
        assert float(found[name].low) == pytest.approx(low, abs=0.05)
        assert float(found[name].high) == pytest.approx(high, abs=0.05)


@given(
    n=st.one_of(st.integers(1, 9000), st.integers(19_000, 60_000)),
    seed=st.integers(0, 1000),
    shape=st.sampled_from(["normal", "ties", "sorted", "reversed", "waves"]),
)
@settings(max_examples=60, deadline=None)
def test_the_ends_are_those_of_numpy(n: int, seed: int, shape: str) -> None:
    samples = np.random.default_rng(seed).normal(size=n) * 1000
    samples = {
        "normal": samples,
        "ties": np.round(samples / 900),
        "sorted": np.sort(samples),
        "reversed": np.sort(samples)[::-1],
        "waves": np.sin(np.arange(n) * np.pi / max(1, n // 2000)) * 1000,
    }[shape]
    before = samples.copy()
    assert ends(samples) == pytest.approx(tuple(np.quantile(samples, (0.05, 0.95))), abs=1e-9)
    np.testing.assert_array_equal(samples, before)


@given(
    seed=st.integers(0, 1000),
    n=st.sampled_from([50, 19_999, 20_000, 30_001]),
    apart=st.sampled_from([0.0, 0.01, 0.2, 5.0]),
    step=st.sampled_from([0.0, 0.5, 3.0]),
)
@settings(max_examples=30, deadline=None)
def test_the_ends_of_rows_alike_are_those_of_numpy(
    seed: int, n: int, apart: float, step: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.outer(np.arange(1.0, 6.0), rng.normal(1.0, 1.0, n)) + apart * rng.normal(size=(5, n))
    rows = np.round(rows / step) * step if step else rows
    before = rows.copy()
    told = ends_alike(rows)
    expected = [tuple(np.quantile(row, (0.05, 0.95))) for row in rows]
    np.testing.assert_allclose(told, expected, atol=1e-9)
    np.testing.assert_array_equal(rows, before)


@given(each=st.floats(0.01, 0.3), limit=st.floats(100, 5000), rent=st.floats(1, 300))
@settings(max_examples=40, deadline=None)
def test_above_the_break_even_volume_there_is_no_loss_and_just_below_there_is(
    each: float, limit: float, rent: float
) -> None:
    charges = (charge(Step.INFERENCE, PerInstance(1.0, np.array([limit]), limit), f"{rent:.4f}"),)
    costs = PlanCosts(hosting=Hosting("h", "p", "i", "", currency="USD", charges=charges))
    one, no = np.ones(1), np.zeros(1)
    met = Conditions(each * one, no, no, no, np.full((1, 1), 1000.0), one, one)

    def profit(volumes: Any) -> Any:
        at = replace(met, requests=np.atleast_1d(volumes)[:, None])
        return post(at, costs, horizon_months=12).profit[:, 0]

    found = break_even_volume(met, costs, nothing=0.0, horizon_months=12)
    if found is None:
        assert profit(1e6)[0] < 0 or each * limit < rent
        return
    larger = found * np.geomspace(1.0 + 1e-9, 20, 300)
    assert (profit(larger[larger <= 1e6]) >= -1e-6).all(), "as far as it looks"
    assert profit(found * (1 - 1e-6))[0] < 0


def test_currencies_are_checked_for_every_plan() -> None:
    with pytest.raises(EconomicsError, match="PF605"):
        profits(CASES, STEADY, currency="EUR")
