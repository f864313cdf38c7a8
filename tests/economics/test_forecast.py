"""Forecast: arithmetic by hand, properties, and whether its intervals are honest."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.core.money import Money
from payoff.economics.charge import Charge, Fixed, PerInstance, PerRequest, Quantity
from payoff.economics.costs import CostLine, PlanCosts, Step
from payoff.economics.forecast import Forecast, gap
from payoff.economics.forecasts import forecast
from payoff.economics.hosting import Hosting
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.policy import Policy
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds

LABELS = ("a", "b", "c")
RNG = np.random.default_rng(11)
TRUTH = RNG.integers(0, 3, 240)
ACTIONS = np.where(RNG.random(240) < 0.8, TRUTH, RNG.integers(0, 4, 240))
WORTH = Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02))
SURE = Traffic(10_000, 10_000, 10_000)
WORLDS = Worlds.draw(TRUTH, 3, Traffic(10_000, 7_000, 15_000), n_worlds=600, seed=3)


def charge(step: Step, quantity: Quantity, price: str, currency: str = "USD") -> Charge:
    return Charge(
        step, step.value, quantity, "unit", Money.of(price, currency),
        as_of=None, source="s", measured=True,
    )  # fmt: skip


def hosting(*charges: Charge, currency: str = "USD", name: str = "h") -> Hosting:
    return Hosting(name, "p", "i", "", currency=currency, charges=charges)


def line(step: Step, amount: str, currency: str = "USD") -> CostLine:
    price = Money.of(amount, currency)
    return CostLine(step, "x", 1, "unit", price, as_of=None, source="s", measured=True)


MACHINE = hosting(
    charge(Step.INFERENCE, PerInstance(730.0, np.array([9_000.0]), 9_000.0), "0.1"),
    charge(Step.TRANSFER, PerRequest(1e-3), "0.09"),
    charge(Step.STORAGE, Fixed(2.0), "0.02"),
)
DEARER = hosting(charge(Step.INFERENCE, Fixed(730.0), "0.9"), name="reference")
COSTS = PlanCosts(
    once=(line(Step.LABELS, "240"), line(Step.TRAINING, "30"), line(Step.BUILD, "1200")),
    monthly=(line(Step.STORAGE, "1"),), hosting=MACHINE, person=WORTH.person,
    per_request=0.001, months_until_retraining=3,
)  # fmt: skip


def told(
    costs: PlanCosts = COSTS, worlds: Worlds = WORLDS, actions: NDArray[Any] = ACTIONS, **more: Any
) -> Forecast:
    outcome = Outcome.of_actions(WORTH, LABELS, worlds.truth, actions)
    return forecast(
        more.pop("name", "plan"), gross_values=outcome.gross_values,
        handed_over=outcome.handed_over, right_values=outcome.right_values,
        costs=costs, worlds=worlds, **({"currency": "USD"} | more),
    )  # fmt: skip


def amounts(result: Forecast) -> dict[str, float]:
    return {step.name: float(step.amount) for step in result.waterfall}


# --- by hand ----------------------------------------------------------------------------------


def test_every_step_by_hand_where_nothing_is_uncertain_but_the_rows() -> None:
    truth = np.repeat([0, 1], 5_000)  # so many that what one row more could show is nothing
    worlds = Worlds.draw(
        truth, 2, SURE, n_worlds=300, seed=0, person_spread=0, price_spread=0,
        expected_mix=np.array([0.75, 0.25]), mix_concentration=1e9,
    )  # fmt: skip
    result = forecast(
        "plan", gross_values=np.array([4.0, -1.0])[truth], handed_over=truth == 1,
        right_values=np.array([4.0, 0.0])[truth], costs=COSTS, worlds=worlds, currency="USD",
    )  # fmt: skip
    expected = {
        "right answers": 10_000 * 0.75 * 4,
        "wrong answers": 0.0,
        "handed over": -10_000 * 0.25,
        "people": -10_000 * 0.25 * 2,
        "inference": -2 * 73.0,  # 10,000 requests need two machines of 9,000
        "api": -10.0,
        "transfer": -10 * 0.09,
        "storage": -1 - 0.04,
        "training": -30 / 3,
        "labels": -240 / 12,
        "build": -1200 / 12,
    }
    got = amounts(result)
    assert list(got) == [*expected, "profit"]
    for name, amount in expected.items():
        assert got[name] == pytest.approx(amount, abs=0.5), name
    assert got["profit"] == pytest.approx(sum(expected.values()), abs=1)
    assert float(result.per_request.mean) == pytest.approx(got["profit"] / 10_000)
    assert result.handed_share == pytest.approx(0.25, abs=1e-4)


def test_cash_is_paid_when_it_is_due_and_paid_back() -> None:
    worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), n_worlds=50, seed=0, months=6)
    costs = PlanCosts(
        once=(line(Step.BUILD, "350"), line(Step.TRAINING, "100")), months_until_retraining=3
    )
    result = forecast(
        "plan", gross_values=np.ones(2), handed_over=np.zeros(2, bool), costs=costs,
        worlds=worlds, currency="USD",
    )  # fmt: skip
    cash = [month.mean for month in result.months]
    np.testing.assert_allclose(cash, [-350, -250, -150, -150, -50, 50], atol=0.01)
    assert result.payback_months == 6
    # spread: 350 / 6 and 100 / 3 a month, together what the cash says at the end
    assert 6 * float(result.profit.mean) == pytest.approx(cash[-1], abs=0.01)
    never = forecast(
        "plan", gross_values=-np.ones(2), handed_over=np.zeros(2, bool), costs=costs,
        worlds=worlds, currency="USD",
    )  # fmt: skip
    assert (never.payback_months, never.probability_of_loss) == (None, 1.0)
    assert never.break_even_per_month is None


def test_capacity_leaves_requests_unanswered() -> None:
    worlds = Worlds.draw(np.array([0, 0]), 1, SURE, n_worlds=20, seed=0, person_spread=0)
    result = forecast(
        "people", gross_values=np.array([5.0, 5.0]), handed_over=np.ones(2, bool), nothing=-3.0,
        costs=PlanCosts(person=Person(6, 10, capacity_per_month=4_000)), worlds=worlds,
        currency="USD",
    )  # fmt: skip
    got = amounts(result)
    assert got["handed over"] == pytest.approx(4_000 * 5)
    assert got["people"] == pytest.approx(-4_000 * 1)
    assert got["not answered"] == pytest.approx(-6_000 * 3)
    people = next(entry for entry in result.lines if entry.step is Step.PEOPLE)
    assert people.quantity == pytest.approx(4_000)
    assert people.unit_price == Money.of("1.0", "USD")


# --- properties -------------------------------------------------------------------------------


def test_the_waterfall_sums_to_the_profit_exactly_and_the_formula_holds() -> None:
    result = told(reference=DEARER)
    *steps, last = result.waterfall
    assert sum((step.amount.amount for step in steps), Decimal(0)) == last.amount.amount
    assert abs(float(last.amount) - float(result.profit.mean)) < 0.005
    both = result.reconcile()
    assert both.holds
    assert float(both.e_model + both.e_cloud - both.reference - both.other_costs) == pytest.approx(
        float(result.profit.mean), abs=0.005
    )
    assert float(both.reference) == pytest.approx(657.0, rel=0.01)
    assert float(told().reconcile().e_cloud) == 0.0


def test_a_broken_reconciliation_is_an_error() -> None:
    result = told()
    broken = replace(result.reconciliation, profit=Money.of(1, "USD"))
    with pytest.raises(EconomicsError, match="PF619"):
        replace(result, reconciliation=broken).reconcile()


@given(factor=st.floats(1.01, 5.0))
@settings(max_examples=15, deadline=None)
def test_more_traffic_at_a_positive_margin_never_lowers_profit(factor: float) -> None:
    costs = replace(COSTS, hosting=hosting(charge(Step.INFERENCE, PerRequest(1.0), "0.01")))
    more = replace(WORLDS, requests=WORLDS.requests * factor)
    # the margin is positive in every world whose smaller profit already is
    small, large = told(costs).profit.samples, told(costs, more).profit.samples
    assert np.all(large[small > 0] >= small[small > 0])


@given(dearer=st.floats(1.0, 10.0))
@settings(max_examples=15, deadline=None)
def test_a_dearer_price_never_raises_profit(dearer: float) -> None:
    price = f"{0.1 * dearer:.6f}"
    dear = hosting(charge(Step.INFERENCE, PerInstance(730.0, np.array([9e3]), 9e3), price))
    cheap = hosting(charge(Step.INFERENCE, PerInstance(730.0, np.array([9e3]), 9e3), "0.1"))
    difference = gap(told(replace(COSTS, hosting=dear)), told(replace(COSTS, hosting=cheap)))
    assert difference.samples.max() <= 1e-9


def test_scaling_the_currency_scales_everything() -> None:
    def scaled(factor: int) -> Forecast:
        values = Payoff(3.0 * factor, -7.0 * factor, -1.0 * factor, currency="USD")
        outcome = Outcome.of_actions(values, LABELS, TRUTH, ACTIONS)
        rent = charge(Step.INFERENCE, Fixed(1.0), str(500 * factor))
        costs = PlanCosts(once=(line(Step.BUILD, str(99 * factor)),), hosting=hosting(rent))
        return forecast(
            "plan", gross_values=outcome.gross_values, handed_over=outcome.handed_over,
            costs=costs, worlds=WORLDS, currency="USD",
        )  # fmt: skip

    one, eight = scaled(1), scaled(8)
    np.testing.assert_allclose(eight.profit.samples, 8 * one.profit.samples, rtol=1e-6)
    assert eight.probability_of_loss == one.probability_of_loss
    assert eight.break_even_per_month == pytest.approx(one.break_even_per_month)
    assert eight.payback_months == one.payback_months


def test_relabelling_the_classes_changes_nothing() -> None:
    order = np.array([2, 0, 1, 3])
    place = np.argsort(order)
    labels = [LABELS[i] for i in order[:3]]
    outcome = Outcome.of_actions(WORTH, labels, place[TRUTH], place[ACTIONS])
    plain = Outcome.of_actions(WORTH, LABELS, TRUTH, ACTIONS)
    np.testing.assert_array_equal(outcome.gross_values, plain.gross_values)
    other = Worlds.draw(place[TRUTH], 3, Traffic(10_000, 7_000, 15_000), n_worlds=20_000, seed=4)
    many = Worlds.draw(TRUTH, 3, Traffic(10_000, 7_000, 15_000), n_worlds=20_000, seed=3)
    one = told(worlds=many)
    two = forecast(
        "plan", gross_values=outcome.gross_values, handed_over=outcome.handed_over,
        costs=COSTS, worlds=other, currency="USD",
    )  # fmt: skip
    spread = one.profit.samples.std()
    assert abs(float(one.profit.mean - two.profit.mean)) < 5 * spread / np.sqrt(20_000)
    assert one.profit.samples.std() == pytest.approx(two.profit.samples.std(), rel=0.05)


def test_the_same_seed_gives_the_same_forecast() -> None:
    again = Worlds.draw(TRUTH, 3, Traffic(10_000, 7_000, 15_000), n_worlds=600, seed=3)
    assert to_json(told().as_dict()) == to_json(told(worlds=again).as_dict())


def test_as_dict_is_json() -> None:
    document = json.loads(to_json(told(reference=DEARER).as_dict()))
    assert document["reconciliation"]["holds"] is True
    assert len(document["months"]) == 12
    assert document["months"][0]["low"] <= document["months"][0]["mean"]
    assert document["lines"][0]["step"] == "people"


# --- break-even, drivers, gap -----------------------------------------------------------------


def test_break_even_of_a_linear_plan_by_hand() -> None:
    costs = PlanCosts(hosting=hosting(charge(Step.INFERENCE, Fixed(730.0), "0.5")))
    worlds = replace(WORLDS, price_factor=np.ones(600))
    result = forecast(
        "plan", gross_values=np.full(240, 0.05), handed_over=np.zeros(240, bool),
        costs=costs, worlds=worlds, currency="USD",
    )  # fmt: skip
    assert result.break_even_per_month == pytest.approx(365 / 0.05, rel=1e-5)


def test_break_even_lies_behind_the_last_step_that_loses() -> None:
    """A machine for every 1,000 requests at 80; each request earns 0.0905."""
    rent = charge(Step.INFERENCE, PerInstance(1.0, np.array([1000.0]), 1000.0), "80")
    worlds = Worlds.draw(
        np.array([0, 1]), 2, Traffic(500, 500, 500), n_worlds=50, seed=0, price_spread=0
    )
    result = forecast(
        "plan", gross_values=np.full(2, 0.0905), handed_over=np.zeros(2, bool),
        costs=PlanCosts(hosting=hosting(rent)), worlds=worlds, currency="USD",
    )  # fmt: skip
    # Just above 7,000 requests 8 machines cost 640 and 633.50 is earned: a loss up to
    # 640 / 0.0905 = 7,072. Just above 8,000, 9 machines cost 720 and 724 is earned.
    assert result.break_even_per_month == pytest.approx(640 / 0.0905, rel=1e-5)
    free = forecast(
        "plan", gross_values=np.ones(2), handed_over=np.zeros(2, bool), costs=PlanCosts(),
        worlds=worlds, currency="USD",
    )  # fmt: skip
    assert free.break_even_per_month == 0.0


def test_drivers_name_what_varies_and_nothing_else() -> None:
    names = [driver.name for driver in told().drivers]
    assert set(names) == {
        "traffic", "quality of the answers", "mix of labels", "people's minutes", "cloud prices",
        "cost of wrong answers",
    }  # fmt: skip
    swings = [float(driver.swing) for driver in told().drivers]
    assert swings == sorted(swings, reverse=True)
    worlds = Worlds.draw(TRUTH, 3, SURE, n_worlds=200, seed=3, person_spread=0, price_spread=0)
    few = {driver.name for driver in told(worlds=worlds).drivers}
    assert few == {"quality of the answers", "mix of labels", "cost of wrong answers"}


def test_driver_traffic_by_hand() -> None:
    worlds = Worlds.draw(TRUTH, 3, Traffic(10_000, 7_000, 15_000), n_worlds=20_000, seed=3)
    result = forecast(
        "plan", gross_values=np.full(240, 2.0), handed_over=np.zeros(240, bool),
        costs=PlanCosts(), worlds=worlds, currency="USD",
    )  # fmt: skip
    traffic = next(driver for driver in result.drivers if driver.name == "traffic")
    assert float(traffic.low) == pytest.approx(14_000, rel=0.02)
    assert float(traffic.high) == pytest.approx(30_000, rel=0.02)


def test_quality_and_mix_together_are_the_spread_of_the_value() -> None:
    worlds = Worlds.draw(TRUTH, 3, SURE, n_worlds=4000, seed=3)
    values = np.array([5.0, 1.0, -3.0])[TRUTH]  # no spread within classes: all is mix
    result = forecast(
        "plan", gross_values=values, handed_over=np.zeros(240, bool), costs=PlanCosts(),
        worlds=worlds, currency="USD",
    )  # fmt: skip
    swing = {driver.name: float(driver.swing) for driver in result.drivers}
    assert swing["mix of labels"] == pytest.approx(
        float(result.profit.quantile(0.95) - result.profit.quantile(0.05)), rel=0.02
    )
    assert swing["quality of the answers"] < 0.01 * swing["mix of labels"]


def test_the_gap_is_paired_and_surer_than_either_plan() -> None:
    better = np.where(np.arange(240) < 8, TRUTH, ACTIONS)
    one, two = told(actions=better, name="better"), told()
    difference = gap(one, two)
    np.testing.assert_allclose(difference.samples, one.profit.samples - two.profit.samples)
    assert difference.samples.std() < 0.5 * two.profit.samples.std()
    other = Worlds.draw(TRUTH, 3, SURE, n_worlds=600, seed=4)
    with pytest.raises(EconomicsError, match="PF615 plan against plan"):
        gap(two, told(worlds=other))


@pytest.mark.parametrize(
    "change",
    [
        {"gross_values": np.zeros(3)},
        {"gross_values": np.full(240, np.nan)},
        {"handed_over": np.zeros(3, bool)},
        {"right_values": np.full(240, np.inf)},
    ],
)
def test_row_values_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    arguments = {"gross_values": np.zeros(240), "handed_over": np.zeros(240, bool)} | change
    with pytest.raises(EconomicsError, match="PF618"):
        forecast("plan", costs=PlanCosts(), worlds=WORLDS, currency="USD", **arguments)


def test_other_currencies_are_refused() -> None:
    with pytest.raises(EconomicsError, match="PF605"):
        told(currency="EUR")
    with pytest.raises(EconomicsError, match="PF605"):
        told(PlanCosts(), currency="EUR", reference=DEARER)


# --- honesty ----------------------------------------------------------------------------------


def test_the_interval_is_honest_where_a_stated_mix_weighs_labels_of_few_rows() -> None:
    """100 labels of three rows each; the founder's mix is another than that of the rows."""
    rng, held = np.random.default_rng(7), 0
    k, trials = 100, 150
    for trial in range(trials):
        right = np.clip(rng.normal(0.88, 0.12, k), 0.3, 1.0)
        truth = rng.choice(k, size=300, p=rng.dirichlet(np.full(k, 10.0)))
        stated = np.maximum(rng.dirichlet(np.full(k, 2.0)), 1e-3)
        stated /= stated.sum()
        worlds = Worlds.draw(
            truth, k, SURE, n_worlds=200, seed=trial, months=1, expected_mix=stated
        )
        values = np.where(rng.random(300) < right[truth], 3.0, -7.0)
        told = np.sort(worlds.mean_values(values[None])[0])
        low, high = np.quantile(told, (0.05, 0.95))
        held += low <= rng.dirichlet(300 * stated) @ (10 * right - 7) <= high
    assert 0.85 <= held / trials <= 0.95


def test_the_90_percent_interval_holds_the_truth_about_nine_times_in_ten() -> None:
    """300 simulated markets with known truth: rows, traffic and wages are drawn anew in each."""
    rng = np.random.default_rng(2026)
    mix, accuracy = np.array([0.6, 0.3, 0.1]), np.array([0.95, 0.8, 0.6])
    worth = Payoff(2.0, -5.0, currency="USD", person=Person(3, 20, 0.0))
    policy = Policy.from_payoff(worth, LABELS)
    traffic = Traffic(5_000, 4_000, 6_500)
    held = 0
    for trial in range(300):
        truth = rng.choice(3, size=300, p=mix)
        right = rng.random(300) < accuracy[truth]
        actions = np.where(right, truth, np.where(rng.random(300) < 0.5, 3, (truth + 1) % 3))
        worlds = Worlds.draw(truth, 3, traffic, n_worlds=400, seed=trial, months=2)
        outcome = Outcome.of_actions(worth, policy.labels, truth, actions)
        result = forecast(
            "plan", gross_values=outcome.gross_values, handed_over=outcome.handed_over,
            costs=PlanCosts(person=worth.person), worlds=worlds, currency="USD",
        )  # fmt: skip
        low, high = result.profit.interval(0.9)
        requests = traffic.draws(10_000 + trial, 1, 2).mean()
        minutes = np.exp(0.1 * rng.standard_normal() - 0.005)
        gross = accuracy * 2.0 + (1 - accuracy) * (0.5 * 2.0 - 0.5 * 5.0)
        wages = (1 - accuracy) * 0.5 * 1.0 * minutes
        realised = requests * float(mix @ (gross - wages))
        held += float(low) <= realised <= float(high)
    assert 0.85 <= held / 300 <= 0.95
