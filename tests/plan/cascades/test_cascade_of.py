"""A cascade of measured models: what it is chosen by, what it pays, and what it is refused for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from tests.plan.simulated_run import kept_apart, kept_of

from payoff.economics.charge import PerInstance
from payoff.economics.costs import Step
from payoff.economics.floor import Floor
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.llm import price_llm_call
from payoff.economics.tokens import Tokens
from payoff.economics.traffic import Traffic
from payoff.evidence.latency import Latency
from payoff.plan.cascades.cascade_of import CascadePlan
from payoff.plan.entrants import Entrants
from payoff.plan.kept import Kept
from payoff.plan.reckoning import Reckoning
from payoff.plan.standing import Standing
from payoff.plan.terms import Terms

TERMS = Terms(Payoff(3.0, -7.0, -2.0, currency="USD"), Traffic(40_000), on=date(2026, 11, 22))
KEPT = kept_apart(TERMS)
API = Tokens("gpt-4o-mini", 200.0, 4.0)


def entrants(kept: Kept = KEPT, **changes: Any) -> Entrants:
    terms = replace(TERMS, **changes)
    reckoning = Reckoning(
        terms,
        kept.labels,
        n_labelled=kept.n_labelled,
        training_counts=kept.training_counts,
        request_bytes=kept.request_bytes,
        characters_per_text=kept.characters_per_text,
    )
    return Entrants.of(kept, reckoning)


@pytest.fixture(scope="module")
def found() -> Entrants:
    return entrants()


@pytest.fixture(scope="module")
def plan(found: Entrants) -> CascadePlan:
    assert found.cascade is not None
    return found.cascade


def test_models_that_err_apart_make_a_cascade_that_is_chosen(plan: CascadePlan) -> None:
    stands = Standing.of(KEPT, TERMS)
    assert stands.chosen == plan.name == " → ".join(tier.name for tier in plan.tiers)
    assert stands.cascade["chosen"]
    assert stands.cascade["sentence"].startswith(f"The cascade {plan.name} pays: on validation")
    told = stands.cascade["validated"]
    assert told["profit_month"]["mean"] > told["rival_profit_month"]["mean"]
    assert sum(tier["share"] for tier in stands.cascade["tiers"]) == pytest.approx(1.0)
    assert stands.cascade["tiers"][0]["reached"] == 1.0
    first, *others = stands.cascade["tiers"]
    assert first["reached"] - first["share"] == pytest.approx(others[0]["reached"])
    assert stands.runner_up is not None
    assert stands.runner_up[0] in {option.name for option in KEPT.options}


def test_one_model_that_says_all_leaves_no_cascade_that_pays() -> None:
    stands = Standing.of(kept_of(TERMS), TERMS)
    assert not stands.cascade["chosen"]
    assert "→" not in stands.chosen
    name = stands.cascade["name"]
    assert f"the best one, {name}, earned " in stands.cascade["sentence"]
    assert stands.cascade["sentence"].startswith("No cascade ")
    assert f"{stands.chosen} alone" in stands.cascade["sentence"]


def test_it_is_chosen_by_rows_that_chose_no_tier(plan: CascadePlan) -> None:
    """The case that is compared acts as `Cascade.valued` says, not as the lucky tiers do."""
    actions = plan.policy.decide(plan.cascade.valued.probabilities).actions
    worth = TERMS.payoff.gross_matrix(KEPT.labels)[KEPT.validation_truth, actions]
    np.testing.assert_allclose(plan.validated.outcome.gross_values, worth)


def test_it_is_surer_than_models_of_a_higher_log_loss(plan: CascadePlan) -> None:
    truth = KEPT.validation_truth

    def loss(said: Any) -> float:
        return float(-np.log(np.asarray(said, np.float64)[np.arange(len(truth)), truth]).mean())

    own = loss(plan.cascade.valued.probabilities)
    higher = {option.name for option in KEPT.options if loss(option.validation) > own}
    assert plan.surer_than == higher
    assert higher


def test_a_limit_that_its_slow_answers_break_refuses_it() -> None:
    """Each model alone answers within 120 ms; a request that asks two takes 200 and more."""
    slow = [
        replace(
            option,
            evidence=replace(
                option.evidence, latency=Latency(100.0, 120.0, 100.0 - number, 64, 100, 2)
            ),
        )
        for number, option in enumerate(KEPT.options)
    ]
    kept = replace(KEPT, options=tuple(slow))
    found = entrants(kept, latency_limit_ms=121.0)
    assert found.cascade is None
    slowest = re.search(
        r"latency limit, 95 % of single answers take up to (\d+) ms", found.no_cascade
    )
    assert slowest is not None
    assert int(slowest[1]) >= 240, "the sum of two models' 120 ms, or of three"
    assert [plan.name for plan in found.plans] == [option.name for option in KEPT.options]
    stands = Standing.of(kept, replace(TERMS, latency_limit_ms=121.0))
    assert stands.cascade["sentence"].startswith("No cascade was made: model ")
    assert "→" not in stands.chosen


def test_a_promise_is_kept_by_it_too(plan: CascadePlan) -> None:
    floor = Floor(None, at_most=0.012, confidence=0.9)
    careful = entrants(floors=(floor,)).cascade
    assert careful is not None
    errors = []
    for one in (plan, careful):
        actions = one.policy.decide(one.cascade.valued.probabilities).actions
        errors.append(float(((actions != KEPT.validation_truth) & (actions < 3)).mean()))
    assert errors[1] < errors[0]
    assert careful.policy.penalties is not None


def test_a_promise_that_nobody_can_keep_refuses_all() -> None:
    impossible = Floor(None, at_most=1e-4)
    with pytest.raises(Exception, match="PF640"):
        entrants(floors=(impossible,))


def test_people_take_no_more_than_they_can(plan: CascadePlan) -> None:
    person = Person(4, 30, capacity_per_month=400)
    worth = Payoff(3.0, -7.0, currency="USD", person=person)
    limited = entrants(payoff=worth).cascade
    assert limited is not None
    handed = limited.policy.decide(limited.cascade.valued.probabilities).actions == 3
    assert handed.mean() <= 400 / 40_000 + 1e-9


def test_one_model_alone_makes_no_cascade() -> None:
    found = entrants(replace(KEPT, options=KEPT.options[:1]))
    assert (found.cascade, found.no_cascade) == (None, "1 model can be asked")
    assert len(found.plans) == 1


def test_too_few_rows_make_no_cascade() -> None:
    found = entrants(kept_apart(TERMS, n=24))
    assert found.cascade is None
    assert found.no_cascade.startswith("24 validation rows tell nothing")
    assert entrants(kept_apart(TERMS, n=25)).cascade is not None


def test_what_asking_costs_is_seconds_times_price() -> None:
    reckoning = entrants().cascade
    assert reckoning is not None
    for option in KEPT.options:
        _, reference = option.hosting(reckoning.reckoning)
        (rent,) = [c for c in reference.charges if isinstance(c.quantity, PerInstance)]
        expected = float(rent.unit_price) * rent.quantity.units / rent.quantity.each
        cost = option.asking_cost(reckoning.reckoning, reference)
        assert cost == pytest.approx(expected, rel=1e-6)


def test_an_api_is_paid_for_the_requests_that_reach_it() -> None:
    *own, last = KEPT.options
    kept = replace(KEPT, options=(*own, replace(last, tokens=API)))
    found = entrants(kept)
    cascade = found.cascade
    assert cascade is not None
    assert cascade.tiers[-1].name == last.name, "the dearest is asked last"
    priced = price_llm_call("gpt-4o-mini", input_tokens=200, output_tokens=4, on=TERMS.on)
    each = float(priced.cost)
    assert cascade.cascade.policy.costs[-1] == pytest.approx(each)

    def paid(name: str) -> float:
        plan = next(one for one in found.plans if one.name == name)
        hosting = plan.tested.costs.hosting
        assert hosting is not None
        return float(hosting.cost_by_step(np.array(1000.0)).get(Step.API, np.zeros(())))

    assert paid(cascade.name) == pytest.approx(1000 * each * cascade.reached[-1])
    assert paid(last.name) == pytest.approx(1000 * each)
    assert paid(own[0].name) == 0.0


def test_an_api_without_a_price_is_no_tier_and_says_so() -> None:
    *own, last = KEPT.options
    unknown = replace(last, tokens=Tokens("nobody-sells-this", 200.0, 4.0))
    found = entrants(replace(KEPT, options=(*own, unknown)))
    assert found.cascade is not None
    assert {tier.name for tier in found.cascade.tiers} == {option.name for option in own}
    assert "nobody-sells-this" in found.cascade.left_out[last.name]
    (alone,) = [plan for plan in found.plans if plan.name == last.name]
    assert alone.tested.costs.hosting is not None
    assert any("not priced" in note for note in alone.tested.costs.hosting.notes)


def test_traffic_that_fills_machines_is_paid_in_whole_machines() -> None:
    requests = 4e8
    plan = entrants(traffic=Traffic(requests)).cascade
    assert plan is not None
    (rent,) = [c for c in plan.hosting.charges if isinstance(c.quantity, PerInstance)]
    machines = float(rent.quantity(np.array(requests))) / rent.quantity.units
    assert machines == int(machines) > 1
    long_run = sum(
        share * cost for share, cost in zip(plan.reached, plan.cascade.policy.costs, strict=True)
    )
    paid = float(rent.cost(np.array(requests)))
    assert paid > 0.2 * requests * long_run, "what is paid is of the size that asking was priced at"


def test_the_frontier_has_every_model_alone_and_the_cascade(plan: CascadePlan) -> None:
    points = plan.points()
    alone = {tuple(point["tiers"]) for point in points if len(point["tiers"]) == 1}
    assert alone == {(option.name,) for option in KEPT.options}
    (own,) = [point for point in points if point["chosen"]]
    assert own["worth"] == pytest.approx(plan.cascade.valued.worth)
