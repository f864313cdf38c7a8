"""Months that grow alike, added up for each world, are worth what they are one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.money import Money
from payoff.economics import grown_ledger as module
from payoff.economics.bill import bill_of
from payoff.economics.case import Case
from payoff.economics.charge import (
    Charge,
    Fixed,
    PerColdStart,
    PerInstance,
    PerRequest,
    PerScaledInstance,
    Quantity,
)
from payoff.economics.conditions import Conditions
from payoff.economics.costs import CostLine, PlanCosts, Step
from payoff.economics.forecasts import forecasts, profit_by_month, profits
from payoff.economics.grown_ledger import post_grown
from payoff.economics.grown_usage import GrownUsage
from payoff.economics.hosting import Hosting
from payoff.economics.ledger import ENTRIES, post
from payoff.economics.outcome import Outcome
from payoff.economics.person import Person
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds

MONTHS = 7


def hosting(*charges: tuple[Step, Quantity, str]) -> Hosting:
    made = [
        Charge(step, step.value, quantity, "unit", Money.of(price, "USD"), as_of=None, source="s",
               measured=True)
        for step, quantity, price in charges
    ]  # fmt: skip
    return Hosting("h", "p", "i", "", currency="USD", charges=tuple(made))


def pool(limit: float, at_least: int = 1) -> PerInstance:
    return PerInstance(730.0, np.array([limit, 1.7 * limit]), 0.8 * limit, at_least)


QUANTITIES: dict[str, Quantity] = {
    "fixed": Fixed(3.0),
    "per request": PerRequest(1e-3),
    "cold starts": PerColdStart(1e-3, 5.0),
    "instances": pool(2_000.0),
    "two at least": pool(2_000.0, 2),
    "very many": pool(3.0),
    "scaled": PerScaledInstance(pool(4_000.0), (1.0, 0.5, 0.0, 0.3)),
}


def conditions(seed: int, n: int, growth: np.ndarray[Any, Any]) -> Conditions:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.0, 0.3, n) * (rng.random(n) < 0.95)
    return Conditions(
        rng.normal(2.0, 0.1, n),
        rng.normal(-0.5, 0.1, n),
        -0.3 * share,
        share,
        np.sort(rng.lognormal(9.0, 0.4, n))[:, None],
        rng.lognormal(0.0, 0.1, n),
        rng.lognormal(0.0, 0.1, n),
        growth=growth,
    )


@pytest.mark.parametrize("capacity", [None, 0.0, 900.0, 1e9])
@pytest.mark.parametrize("names", [[name] for name in QUANTITIES] + [list(QUANTITIES), []])
@pytest.mark.parametrize("block", [64, 12_288])
@given(seed=st.integers(0, 1000), rate=st.sampled_from([-0.3, -0.02, 0.01, 0.15]))
@settings(max_examples=3, deadline=None)
def test_sums_are_those_of_the_months_told_apart(
    capacity: float | None, names: list[str], block: int, seed: int, rate: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        compare(capacity, names, seed, rate)


def compare(capacity: float | None, names: list[str], seed: int, rate: float) -> None:
    met = conditions(seed, 240, (1.0 + rate) ** np.arange(MONTHS))
    steps = [Step.INFERENCE, Step.API, Step.TRANSFER]
    charges = [(steps[i % 3], QUANTITIES[name], "0.07") for i, name in enumerate(names)]
    costs = PlanCosts(
        monthly=(
            CostLine(Step.STORAGE, "x", 1, "unit", Money.of(40, "USD"), as_of=None, source="s",
                     measured=True),
        ),
        hosting=hosting(*charges) if charges else None,
        person=Person(4, 30, capacity_per_month=capacity),
        per_request=0.002,
    )  # fmt: skip
    told: Any = {"nothing": -0.4, "horizon_months": MONTHS}
    plain = post(met.by_month(), costs, **told)
    grown = post_grown(met, costs, **told, by_month=True)
    scale = 1e-9 * float(np.abs(plain.profit).max())
    np.testing.assert_allclose(grown.monthly, plain.profit.mean(axis=1), atol=scale)
    for entry in ENTRIES:
        assert grown.mean(entry) == pytest.approx(plain.mean(entry), abs=scale), entry
    cash = plain.profit.cumsum(axis=1)
    expected = [(c.mean(), *np.quantile(c, (0.05, 0.95))) for c in cash.T]
    np.testing.assert_allclose(grown.cash_by_month(MONTHS), expected, atol=MONTHS * scale)
    assert grown.mean_served == pytest.approx(plain.served.mean())
    assert grown.mean_requests == pytest.approx(plain.conditions.requests.mean())
    bills = [bill_of(books, costs, "USD") for books in (grown, plain)]
    for one, other in zip(*bills, strict=True):
        assert one.what == other.what
        assert float(one.quantity) == pytest.approx(float(other.quantity))
    if costs.hosting is not None:
        assert grown.mean_cost(costs.hosting) == pytest.approx(plain.mean_cost(costs.hosting))
        again = post_grown(met, costs, **told, usage=grown.usage)
        np.testing.assert_array_equal(again.monthly, grown.monthly)


def test_a_world_on_the_edge_of_a_step_is_on_the_lower_one() -> None:
    for first, growth, limit in ((9_000.0, 1.1, 9_900.0), (100.0, 3.0, 300.0), (7.0, 0.7, 4.9)):
        rented = hosting((Step.INFERENCE, PerInstance(1.0, np.array([limit]), limit), "1"))
        requests = np.repeat([first / 2, first, first * 1.01], 100)
        used = GrownUsage.of(rented, requests, np.array([growth]))
        assert used.sums[Step.INFERENCE][[0, 99, 100, 199, 200]].tolist() == [1, 1, 1, 1, 2]
        assert used.units == pytest.approx((4 / 3,))


def test_a_forecast_of_growing_traffic_restated_by_loops() -> None:
    """Every world and month by itself, in plain floats, from the payoff of each row onwards."""
    truth = np.array([0, 0, 1, 1, 2, 2])
    traffic = Traffic(3_000, 2_000, 5_000, growth_per_month=0.08)
    worlds = Worlds.draw(truth, 3, traffic, months=5, n_worlds=60, seed=4)
    gross = np.array([3.0, 3.0, -7.0, 3.0, 0.0, 3.0])
    handed = np.array([False, False, False, False, True, False])
    right = np.array([3.0, 3.0, 0.0, 3.0, 0.0, 3.0])
    person = Person(6, 30, capacity_per_month=700)
    rent = hosting(
        (Step.INFERENCE, PerInstance(730.0, np.array([1_500.0]), 1_500.0), "0.10"),
        (Step.TRANSFER, PerRequest(2e-3), "0.50"),
    )
    build = CostLine(
        Step.BUILD, "b", 1, "unit", Money.of(600, "USD"), as_of=None, source="s", measured=True
    )
    costs = PlanCosts((build,), hosting=rent, person=person)
    case = Case("plan", Outcome(gross, handed, right), costs)
    weights = worlds.weights.astype(np.float64)
    flows = []
    for world in range(60):
        worth = sum(float(w) * g for w, g in zip(weights[world], gross, strict=True))
        share = sum(float(w) for w, h in zip(weights[world], handed, strict=True) if h)
        months = []
        for month in range(5):
            requests = float(worlds.requests[world, 0]) * 1.08**month
            answered = min(requests * share, 700.0)
            wages = answered * person.cost_each * float(worlds.minutes_factor[world])
            cloud = math.ceil(requests / 1_500.0) * 73.0 + requests * 2e-3 * 0.5
            unanswered = (requests * share - answered) * -0.25
            price = float(worlds.price_factor[world])
            months.append(requests * worth + unanswered - wages - cloud * price - 600 / 5)
        flows.append(months)
    flow = np.array(flows)
    (told,) = forecasts([case], worlds, currency="USD", nothing=-0.25)
    np.testing.assert_allclose(told.profit.samples, flow.mean(axis=1), rtol=2e-6, atol=0.002)
    apart = profit_by_month(case, worlds, currency="USD", nothing=-0.25)
    np.testing.assert_allclose(apart, flow, rtol=2e-5, atol=0.01)
    cash = flow.cumsum(axis=1) + 120.0 * np.arange(1, 6) - 600.0  # paid at once
    for month, found in zip(told.months, cash.T, strict=True):
        low, high = np.quantile(found, (0.05, 0.95))
        assert [month.mean, month.low, month.high] == pytest.approx(
            [found.mean(), low, high], rel=1e-5, abs=0.05
        )
    assert told.reconcile().holds
    assert float(told.waterfall[-1].amount) == pytest.approx(flow.mean(), rel=1e-6)
    (quick,) = profits([case], worlds, currency="USD", nothing=-0.25)
    np.testing.assert_array_equal(quick.samples, told.profit.samples)


def test_worlds_that_do_not_grow_alike_are_told_apart() -> None:
    truth = np.array([0, 1])
    grown = Worlds.draw(truth, 2, Traffic(100, 80, 130, growth_per_month=0.1), n_worlds=9, seed=0)
    assert grown.growth == pytest.approx(1.1 ** np.arange(12))
    assert Worlds.draw(truth, 2, Traffic(100, 80, 130), n_worlds=9, seed=0).growth is None
    uneven = grown.requests.copy()
    uneven[3, 5] *= 1.001
    assert replace(grown, requests=uneven).growth is None
    case = Case("plan", Outcome(np.ones(2), np.zeros(2, bool), np.ones(2)), PlanCosts())
    (told,) = profits([case], replace(grown, requests=uneven), currency="USD")
    np.testing.assert_allclose(told.samples, uneven.mean(axis=1), rtol=1e-6)
