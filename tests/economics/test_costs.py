"""Costs and charges: every amount restated by hand, exactly."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.core.money import Money
from payoff.economics.charge import (
    Charge,
    Fixed,
    PerColdStart,
    PerInstance,
    PerRequest,
    PerScaledInstance,
)
from payoff.economics.costs import (
    CostLine,
    PlanCosts,
    Step,
    build_line,
    labels_line,
    training_line,
)
from payoff.economics.hosting import Hosting

TODAY = date(2026, 11, 22)


def line(step: Step, amount: str, currency: str = "USD") -> CostLine:
    return CostLine(
        step, "x", 1, "unit", Money.of(amount, currency), as_of=TODAY, source="s", measured=True
    )


def test_amounts_are_exact_decimals() -> None:
    told = CostLine(
        Step.LABELS, "labels", 3, "label", Money.of("0.1", "USD"),
        as_of=TODAY, source="invoice", measured=True, note="n",
    )  # fmt: skip
    assert told.amount.amount == Decimal("0.3")
    document = told.as_dict()
    assert (document["amount"], document["unit_price"]) == ("0.3", "0.1")
    assert (document["as_of"], document["step"]) == ("2026-11-22", "labels")
    assert '"note": "n"' in to_json(document)


def test_training_by_hand() -> None:
    price = Money.of("0.36", "USD")
    same = training_line(1000, 10, machine="m", price_per_hour=price, as_of=None, source="s")
    assert float(same.amount) == pytest.approx(1000 * 10 / 3600 * 0.36)
    assert (same.measured, "assumed" in same.note) == (False, True)
    fast = training_line(
        1000, 10, machine="m", price_per_hour=price, as_of=TODAY, source="s", speed_ratio=4
    )
    assert float(fast.amount) == pytest.approx(0.25)
    assert (fast.measured, fast.note) == (True, "")


def test_labels_and_build_by_hand() -> None:
    assert labels_line(250, Money.of("0.08", "USD")).amount.amount == Decimal("20.00")
    assert build_line(1.5, Money.of(60, "EUR")).amount.amount == Decimal("90.0")


@pytest.mark.parametrize("quantity", [-1.0, np.nan, np.inf])
def test_impossible_quantities_are_refused(quantity: float) -> None:
    price = Money.of(1, "USD")
    with pytest.raises(EconomicsError, match="PF604"):
        build_line(quantity, price)
    with pytest.raises(EconomicsError, match="PF604"):
        training_line(quantity, 1, machine="m", price_per_hour=price, as_of=None, source="s")
    with pytest.raises(EconomicsError, match="PF604"):
        PlanCosts(per_request=quantity)


def test_other_impossible_figures() -> None:
    with pytest.raises(EconomicsError, match="PF604 months"):
        PlanCosts(months_until_retraining=0.5)
    with pytest.raises(EconomicsError, match="PF604 speed_ratio"):
        training_line(
            1, 1, machine="m", price_per_hour=Money.of(1, "USD"), as_of=None, source="s",
            speed_ratio=0,
        )  # fmt: skip


def test_single_payments_are_spread_and_retraining_is_paid_again() -> None:
    costs = PlanCosts(
        once=(line(Step.LABELS, "24"), line(Step.TRAINING, "9"), line(Step.BUILD, "12")),
        monthly=(line(Step.STORAGE, "2"), line(Step.STORAGE, "3")),
        months_until_retraining=3,
    )
    assert costs.fixed_per_month(12) == {
        Step.STORAGE: 5.0, Step.LABELS: 2.0, Step.TRAINING: 3.0, Step.BUILD: 1.0
    }  # fmt: skip
    cash = costs.paid_once(12)
    assert cash.tolist() == [45, 0, 0, 9, 0, 0, 9, 0, 0, 9, 0, 0]
    assert cash.sum() == pytest.approx(sum(12 * v for v in (2.0, 3.0, 1.0)))
    assert PlanCosts(once=costs.once).paid_once(4).tolist() == [45, 0, 0, 0]


def test_cost_of_a_month_with_so_many_requests() -> None:
    hosting = Hosting("h", "p", "i", "", currency="USD", charges=(charge(PerRequest(2.0), "0.5"),))
    costs = PlanCosts(monthly=(line(Step.STORAGE, "7"),), hosting=hosting, per_request=0.25)
    got = costs.per_month(np.array([[0.0, 10.0]]))
    np.testing.assert_allclose(got, [[7.0, 7 + 10 * 1.0 + 10 * 0.25]])
    assert PlanCosts().per_month(np.array([5.0])).tolist() == [0.0]


def test_currencies_are_not_mixed() -> None:
    PlanCosts(once=(line(Step.LABELS, "1"),)).check_currency("USD")
    with pytest.raises(EconomicsError, match="PF605"):
        PlanCosts(once=(line(Step.LABELS, "1"),)).check_currency("EUR")
    hosting = Hosting("h", "p", "i", "", currency="USD", charges=())
    with pytest.raises(EconomicsError, match="PF605"):
        PlanCosts(hosting=hosting).check_currency("EUR")


# --- charges ----------------------------------------------------------------------------------


def charge(quantity: object, price: str) -> Charge:
    return Charge(
        Step.INFERENCE, "c", quantity, "unit", Money.of(price, "USD"),  # type: ignore[arg-type]
        as_of=TODAY, source="s", measured=True,
    )  # fmt: skip


def test_instances_step_up_exactly_at_their_limits() -> None:
    rented = PerInstance(730.0, np.array([100.0, 220.0]), each=150.0)
    requests = np.array([0.0, 100.0, 100.1, 220.0, 220.1, 370.0, 370.1, 520.0])
    assert rented.count(requests).tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert rented.steps(521.0).tolist() == [100, 220, 370, 520]
    assert rented.steps(50.0).tolist() == []
    twice = PerInstance(1.0, np.array([100.0, 220.0]), each=150.0, at_least=2)
    assert twice.count(requests).tolist() == [2, 2, 2, 2, 3, 3, 4, 4]
    assert twice.steps(300.0).tolist() == [220]


@given(requests=st.floats(1, 1e9), first=st.floats(1, 1e5), each=st.floats(1, 1e5))
@settings(deadline=None)
def test_instances_are_enough_and_not_one_too_many(
    requests: float, first: float, each: float
) -> None:
    rented = PerInstance(1.0, np.array([first]), each=each)
    n = float(rented.count(np.array([requests]))[0])
    assert first + (n - 1) * each >= requests * (1 - 1e-9)
    assert n == 1 or first + (n - 2) * each < requests


@given(
    requests=st.one_of(st.floats(0, 1e6), st.sampled_from([100.0, 220.0, 370.0, 370.0001, 520.0])),
    at_least=st.integers(1, 4),
)
@settings(max_examples=80, deadline=None)
def test_one_month_by_itself_uses_what_it_uses_among_others(requests: float, at_least: int) -> None:
    pool = PerInstance(730.0, np.array([100.0, 220.0]), 150.0, at_least)
    one = PerInstance(1.0, np.array([150.0]), 150.0, at_least)
    quantities = (
        Fixed(2.0), PerRequest(0.3), PerColdStart(0.5, 5.0), pool, one,
        PerScaledInstance(pool, (1.0, 0.5, 0.0, 2.0)),
    )  # fmt: skip
    for quantity in quantities:
        told = quantity.at(requests)
        assert isinstance(told, float)
        assert told == pytest.approx(quantity(np.array([requests]))[0], rel=1e-12)
    charges = tuple(charge(quantity, "0.07") for quantity in quantities)
    host = Hosting("h", "p", "i", "", currency="USD", charges=charges)
    among = host.cost_per_month(np.array([requests, 1.0]))
    assert host.cost_at(requests) == pytest.approx(among[0], rel=1e-12)


def test_cold_starts_by_hand() -> None:
    cold = PerColdStart(3.0, keep_alive_minutes=10.0)
    requests = np.array([730.0 * 6])  # one in ten minutes on average
    assert cold.share(requests)[0] == pytest.approx(np.exp(-1))
    assert cold(requests)[0] == pytest.approx(3 * 4380 * np.exp(-1))
    assert cold.share(np.array([0.0]))[0] == 1.0


@given(requests=st.floats(0, 1e9))
@settings(deadline=None)
def test_a_line_is_the_cost_at_those_requests(requests: float) -> None:
    for quantity in (
        Fixed(3.5), PerRequest(0.001), PerColdStart(0.2, 5.0),
        PerInstance(730.0, np.array([1e4]), 2e4),
    ):  # fmt: skip
        one = charge(quantity, "0.0371")
        cost = float(one.cost(np.array([requests]))[0])
        assert float(one.line(requests).amount) == pytest.approx(cost, rel=1e-12)


def test_the_line_of_several_months_is_that_of_the_mean_month() -> None:
    one = charge(PerInstance(1.0, np.array([10.0]), 10.0), "2")
    assert one.line(np.array([[5.0, 15.0], [25.0, 35.0]])).quantity == 2.5
    assert Fixed(1.0).steps(9).tolist() == PerRequest(1).steps(9).tolist() == []
    assert PerColdStart(1, 1).steps(9).tolist() == []
