"""Scenarios: what delay costs by hand, their order, and the findings beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.baselines import Baseline, do_nothing, people_only
from payoff.economics.case import Case
from payoff.economics.costs import CostLine, PlanCosts, Step
from payoff.economics.forecasts import forecasts, profits
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.scenarios import Scenario, Scenarios, checks, scenarios, wait
from payoff.economics.traffic import Traffic
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds

TRUTH = np.array([0, 1] * 30)
SURE = Worlds.draw(TRUTH, 2, Traffic(100, 100, 100), n_worlds=50, seed=0, person_spread=0)
UNSURE = Worlds.draw(TRUTH, 2, Traffic(100, 50, 250, growth_per_month=0.03), n_worlds=400, seed=1)
WORTH = Payoff(3.0, -7.0, currency="EUR", person=Person(3, 20), nothing=-1.0)


def once(amount: int, step: Step = Step.BUILD) -> CostLine:
    price = Money.of(amount, "EUR")
    return CostLine(step, "x", 1, "unit", price, as_of=None, source="s", measured=True)


def earning(each: float, *lines: CostLine, **costs: Any) -> Case:
    n = len(TRUTH)
    outcome = Outcome(np.full(n, each), np.zeros(n, bool), np.full(n, each))
    return Case("model", outcome, PlanCosts(lines, **costs))


def told(worlds: Worlds = SURE, build: Case | None = None, **more: Any) -> Scenarios:
    baselines = [do_nothing(WORTH, worlds), people_only(WORTH, ("a", "b"), worlds)]
    return scenarios(build or earning(4.0), baselines, worlds, currency="EUR", nothing=-1.0, **more)


def test_what_delay_costs_by_hand() -> None:
    """12 months at 100 requests; the model earns 4 each and costs 360 once, people earn 2 each."""
    listed = told(build=earning(4.0, once(360)), wait_months=[3, 9]).listed
    assert {one.name: round(float(one.profit.mean), 4) for one in listed if one.profit} == {
        "build model": 400 - 30,
        "wait 3 months, then build": (3 * 200 + 9 * 400 - 360) / 12,
        "wait 9 months, then build": (9 * 200 + 3 * 400 - 360) / 12,
        "people only": 200.0,
        "do nothing": -100.0,
    }
    assert [one.reason for one in listed if "wait" in one.name] == ["meanwhile: people only"] * 2


def test_training_is_paid_again_by_the_months_that_it_serves() -> None:
    build = earning(4.0, once(60, Step.TRAINING), months_until_retraining=6)
    late = wait(build, earning(0.0), 4, SURE, currency="EUR")
    assert float(late.mean) == pytest.approx(8 * (400 - 10) / 12, rel=1e-5)


@given(months=st.integers(1, 11), each=st.floats(-5, 5), paid=st.integers(0, 5000))
@settings(max_examples=20, deadline=None)
def test_waiting_lies_between_the_two_where_nothing_is_paid_once(
    months: int, each: float, paid: int
) -> None:
    now, meanwhile = earning(each), earning(1.0)
    late = wait(now, meanwhile, months, UNSURE, currency="EUR").samples
    ends = np.stack([p.samples for p in profits([now, meanwhile], UNSURE, currency="EUR")])
    assert (late >= ends.min(axis=0) - 1e-6).all()
    assert (late <= ends.max(axis=0) + 1e-6).all()
    dear = wait(earning(each, once(paid)), meanwhile, months, UNSURE, currency="EUR").samples
    np.testing.assert_allclose(late - dear, paid / 12, atol=1e-6)


def test_a_delay_beyond_the_horizon_is_refused() -> None:
    for months in (0, 12, 13):
        with pytest.raises(EconomicsError, match="PF618 months of waiting"):
            wait(earning(1.0), earning(0.0), months, SURE, currency="EUR")


def test_other_worlds_are_refused() -> None:
    with pytest.raises(EconomicsError, match="PF615"):
        scenarios(earning(1.0), [do_nothing(WORTH, SURE)], UNSURE, currency="EUR")


def test_the_lead_is_paired_and_all_are_behind_the_best() -> None:
    found = told(UNSURE, wait_months=[3])
    assert found.best.name == "build model"
    first, second = found.listed[:2]
    assert first.profit is not None
    assert second.profit is not None
    assert found.lead is not None
    np.testing.assert_allclose(found.lead.samples, first.profit.samples - second.profit.samples)
    assert found.lead.samples.std() < first.profit.samples.std()
    means = [float(one.profit.mean) for one in found.listed if one.profit is not None]
    assert means == sorted(means, reverse=True)
    rows = found.as_dict()["scenarios"]
    assert rows[0]["behind_best"]["mean"] == 0.0
    assert all(row["worst_5_percent"] <= row["profit"]["mean"] for row in rows)


def test_who_shuns_risk_takes_the_surer_one() -> None:
    n = len(TRUTH)
    gamble = np.where(np.arange(n) < 5, 60.0, -2.0)  # a mean of 3.17, from few rows
    build = Case("gamble", Outcome(gamble, np.zeros(n, bool), np.maximum(gamble, 0)), PlanCosts())
    bold, careful = told(build=build), told(build=build, risk_aversion=5.0)
    assert (bold.best.name, careful.best.name) == ("build gamble", "people only")


def test_what_has_no_profit_comes_last_with_its_reason() -> None:
    unknown = Baseline("LLM API x", None, reason="its quality was not stated")
    found = scenarios(earning(1.0), [unknown], SURE, currency="EUR", wait_months=[2])
    assert [one.name for one in found.listed] == ["build model", "LLM API x"], (
        "nothing to do so far"
    )
    assert found.listed[-1].reason == "its quality was not stated"
    assert found.behind(found.listed[-1]) is None
    assert found.lead is None
    assert found.as_dict()["scenarios"][1]["profit"] is None


# --- findings ---------------------------------------------------------------------------------


def findings(case: Case, worlds: Worlds = SURE) -> dict[str, Any]:
    (forecast,) = forecasts([case], worlds, currency="EUR")
    return {finding.code: finding for finding in checks(forecast, case.costs.person, worlds)}


def test_a_payback_beyond_the_horizon() -> None:
    late = findings(earning(1.0, once(1450)))["PF654"]
    assert late.failed
    assert late.detail == (
        "after 12 months 250.00 EUR are still missing; at the last month's rate it takes 3 more"
    )
    assert "horizon_months" in late.mend
    assert findings(earning(1.0, once(1150)))["PF654"].detail == "after 12 months"
    assert findings(earning(1.0))["PF654"].detail == "after 1 month"
    never = findings(earning(-1.0))["PF654"]
    assert "lost money too" in never.detail


def test_people_without_capacity() -> None:
    n = len(TRUTH)
    outcome = Outcome(np.full(n, 2.0), np.arange(n) % 2 == 0, np.zeros(n))

    def of(capacity: float | None) -> Any:
        person = Person(3, 20, capacity_per_month=capacity)
        return findings(Case("model", outcome, PlanCosts(person=person)))["PF655"]

    none = of(0.0)
    assert none.failed
    assert none.detail.endswith("people can take 0: 50 stay unanswered")
    assert (of(40.0).n_affected, of(60.0).failed, str(of(None).status)) == (
        10,
        False,
        "not applicable",
    )


def test_traffic_that_dies_away() -> None:
    dying = Worlds.draw(TRUTH, 2, Traffic(10, 10, 10, growth_per_month=-0.85), n_worlds=20, seed=0)
    found = findings(earning(1.0), dying)["PF656"]
    assert found.failed
    assert found.detail == "10 of 12 months have fewer than one"
    assert not findings(earning(1.0), replace(SURE))["PF656"].failed


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("build cheap model", "Build cheap model now: "),
        ("people only", "Leave all requests to people: "),
        ("LLM API gpt-x", "Buy the LLM API gpt-x: "),
        ("do nothing", "Do nothing: "),
        ("wait 3 months, then build", "Wait 3 months, then build: "),
    ],
)
def test_the_sentence_is_an_order(name: str, order: str) -> None:
    sure = Scenario(name, UncertainMoney(np.array([5.0, 7.0]), "EUR"))
    less = Scenario("other", UncertainMoney(np.array([4.0, 4.0]), "EUR"))
    close = Scenario("other", UncertainMoney(np.array([8.0, 0.0]), "EUR"))
    bold = Scenario("other", UncertainMoney(np.array([-20.0, 40.0]), "EUR"))
    earns = f"{order}that is expected to earn 6.00 EUR a month"
    assert Scenarios((sure, less)).sentence == f"{earns}, 2.00 EUR more than “other”."
    assert ", which may be chance (5 to 95 %: " in Scenarios((sure, close)).sentence
    assert Scenarios((sure, bold), 1.0).sentence == (
        f"{earns}; “other” 4.00 EUR more, but at more risk than you would take."
    )
    assert Scenarios((sure,)).sentence == f"{earns}; nothing else has a known profit."
