from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade import Cascade, CascadeTier
from payoff.economics.cascades.cascade_frontier import cascade_frontier, price_factors
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.cascades.cascade_problem import EVERYBODY
from payoff.economics.cascades.cascade_search import best_cascade
from payoff.economics.cascades.folds import FOLDS
from payoff.economics.outcome import realised

POLICY = policy_of()


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5]))
def test_a_tier_that_cannot_pay_is_not_kept(seed: int, n_tiers: int) -> None:
    truth, said = drawn(np.random.default_rng(seed), 120, (1.0, 1.5, 2.0, 2.5, 3.0)[:n_tiers])
    costs = [0.0] * (n_tiers - 1) + [9.5]
    found = best_cascade(tiers_of(said, costs), POLICY, truth)
    assert f"tier {n_tiers - 1}" not in found.policy.tiers


@pytest.mark.parametrize("n_tiers", [3, 5])
def test_the_best_is_no_worse_than_any_tier_alone(n_tiers: int) -> None:
    truth, said = drawn(np.random.default_rng(1), 300, np.linspace(1, 3, n_tiers).tolist())
    tiers = tiers_of(said, np.geomspace(0.001, 0.4, n_tiers).tolist())
    found = best_cascade(tiers[::-1], POLICY, truth)
    for tier in tiers:
        worths = realised(POLICY.values, truth, POLICY.decide(tier.probabilities).actions)
        assert found.judged.value >= worths.mean() - tier.cost - 0.02, "but for its last fit"
    costs = found.policy.costs
    assert list(costs) == sorted(costs), "cheap first"
    assert len(costs) > 1, "a cheap one before a dear one pays here"


def test_among_equals_the_fewest_tiers_win() -> None:
    truth, (said,) = drawn(np.random.default_rng(2), 100, (2.0,))
    twins = tiers_of([said] * 3, (0.0, 0.0, 0.0))
    assert best_cascade(twins, POLICY, truth).policy.tiers == ("tier 0",)
    with pytest.raises(EconomicsError, match="PF614"):
        best_cascade([], POLICY, truth)


def test_it_does_not_matter_in_which_order_tiers_are_offered() -> None:
    truth, said = drawn(np.random.default_rng(4), 100, (1.0, 1.6, 2.2, 2.6, 3.0))
    tiers = tiers_of(said, (0.001, 0.01, 0.05, 0.2, 0.6))
    one, other = (best_cascade(offer, POLICY, truth) for offer in (tiers, tiers[::-1]))
    assert one.policy.tiers == other.policy.tiers
    assert one.judged.value == other.judged.value


def test_the_frontier_has_every_tier_alone_and_rises() -> None:
    truth, said = drawn(np.random.default_rng(5), 400, (1.2, 3.0))
    tiers = tiers_of(said, (0.0, 0.2))
    chosen = Cascade.fit(tiers, POLICY, truth)
    points = cascade_frontier(chosen, tiers, POLICY, truth)
    costs = [point.cost for point in points]
    assert costs == sorted(costs)
    assert {p.tiers for p in points if len(p.tiers) == 1} == {("tier 0",), ("tier 1",)}
    (own,) = [p for p in points if p.chosen]
    assert own.worth == pytest.approx(chosen.judged.worth)
    assert own.cost == pytest.approx(chosen.judged.cost)
    assert own.price_factor == 1.0
    for point in points:
        assert sum(point.shares) == pytest.approx(1.0)
        assert point.cost == pytest.approx(0.2 * point.shares[-1] * (point.tiers != ("tier 0",)))
    led = [p for p in points if len(p.tiers) == 2 and not p.chosen]
    assert led, "dearer models are asked less"
    assert [p.worth for p in led] == sorted(p.worth for p in led)
    assert points[0].as_dict()["tiers"] == list(points[0].tiers)


def test_the_frontier_of_one_tier_is_the_tiers_alone() -> None:
    truth, said = drawn(np.random.default_rng(6), 100, (1.2, 3.0))
    tiers = [CascadeTier("words", said[0], 0.0), CascadeTier("free", said[1], 0.0)]
    points = cascade_frontier(Cascade.fit(tiers[:1], POLICY, truth), tiers, POLICY, truth)
    assert [(p.tiers, p.chosen) for p in points if p.chosen] == [(("words",), True)]
    assert len(points) == 2


def test_what_it_finds_earns_more_from_new_requests_too() -> None:
    """Models that err apart: over several draws, above the best one alone on requests unseen."""
    leads, flattered = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth, said = drawn(rng, 200, (1.6, 2.2, 2.4))
        new_truth, new_said = drawn(rng, 4000, (1.6, 2.2, 2.4))
        costs = (0.0001, 0.001, 0.01)
        cascade = best_cascade(tiers_of(said, costs), POLICY, truth)
        places = [int(name.split()[1]) for name in cascade.policy.tiers]
        done = cascade.policy.answer(
            POLICY, 4000, lambda tier, rows, p=new_said, at=places: p[at[tier]][rows]
        )
        value = CascadeOutcome.of(POLICY, done, new_truth).value
        alone = [
            realised(POLICY.values, new_truth, POLICY.decide(p).actions).mean() - cost
            for p, cost in zip(new_said, costs, strict=True)
        ]
        leads.append(value - max(alone))
        flattered.append(cascade.judged.value - value)
    assert np.mean(leads) > 0.05
    assert np.mean(flattered) < 0.15, "the best of many flatters itself, but not by much"


def test_dearer_than_it_is_only_where_that_is_worth_more() -> None:
    truth, said = drawn(np.random.default_rng(7), 300, (1.6, 2.4))
    tiers = tiers_of(said, (0.0, 0.01))
    found = best_cascade(tiers, POLICY, truth)
    assert found.policy.costs == (0.0, 0.01)[: len(found.policy.costs)], (
        "costs are told as they are"
    )
    assert found.price_factor == EVERYBODY or found.price_factor >= 1.0
    factors = price_factors(tiers, POLICY)
    assert factors[-1] * 0.01 == pytest.approx(9.0)


def test_the_truth_of_a_request_plays_no_part_in_what_its_value_is_told_by() -> None:
    """Neither the tiers nor the gains that answer a fold know the labels of its requests."""
    truth, said = drawn(np.random.default_rng(8), 150, (1.2, 2.0, 2.6, 2.8, 3.0))
    tiers = tiers_of(said, (0.0, 0.001, 0.05, 0.2, 0.3))
    fold = np.array_split(np.random.default_rng(3).permutation(150), FOLDS)[1]
    other = truth.copy()
    other[fold] = (truth[fold] + 1) % 6
    blends = Blends(truth)  # as probabilities are calibrated, before
    one, two = (
        best_cascade(tiers, POLICY, t, at_least=2, blends=blends, seed=3) for t in (truth, other)
    )
    np.testing.assert_array_equal(one.valued.tiers[fold], two.valued.tiers[fold])
    np.testing.assert_array_equal(one.valued.costs[fold], two.valued.costs[fold])
    assert not np.array_equal(one.valued.tiers, two.valued.tiers), "others learnt from it"


def test_what_a_choice_is_told_is_not_what_luck_made_of_it() -> None:
    """Models that err together: the best of many flatters itself, its nested value does not."""
    fixed, nested = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        tables = []
        for n in (150, 3000):
            truth = rng.integers(0, 6, n)
            noise = rng.normal(size=(n, 6))
            seen = [np.eye(6)[truth] + noise * spread for spread in (0.35, 0.40, 0.45, 0.50)]
            raised = [np.exp((s - s.max(axis=1, keepdims=True)) / 0.18) for s in seen]
            tables.append((truth, [r / r.sum(axis=1, keepdims=True) for r in raised]))
        (truth, said), (new_truth, new_said) = tables
        costs = (0.02, 0.015, 0.01, 0.0)
        found = best_cascade(tiers_of(said, costs), POLICY, truth, at_least=2, seed=seed)
        places = [int(name.split()[1]) for name in found.policy.tiers]
        done = found.policy.answer(
            POLICY, 3000, lambda tier, rows, p=new_said, at=places: p[at[tier]][rows]
        )
        value = CascadeOutcome.of(POLICY, done, new_truth).value
        luck = np.mean(
            [
                realised(POLICY.values, labels, POLICY.decide(one).actions).mean() * sign
                for (labels, all_said), sign in zip(tables, (1, -1), strict=True)
                for one in all_said
            ]
        )  # of these requests as such, half of it: for the mean of all models
        fixed.append(found.judged.value - value - 2 * luck)
        nested.append(found.valued.value - value - 2 * luck)
    error = np.std(nested) / np.sqrt(len(nested))
    assert np.mean(fixed) > np.mean(nested)
    assert np.mean(nested) <= 2 * error


def test_where_going_on_always_pays_everybody_may_be_asked() -> None:
    """Models that err apart, asked for nothing: both are believed about every request."""
    policy, unseen = policy_of(wrong=-30.0), np.random.default_rng(0).dirichlet(np.ones(6), 50)
    asked = 0
    for seed in range(6):
        truth, said = drawn(np.random.default_rng(seed), 150, (1.8, 1.9))
        found = best_cascade(tiers_of(said, (0.0, 0.0)), policy, truth, at_least=2)
        if found.price_factor == EVERYBODY:
            asked += 1
            assert found.judged.shares(2) == (0.0, 1.0)
            done = found.policy.answer(policy, 50, lambda tier, rows: unseen[rows])
            assert (done.tiers == 1).all()
            again = CascadePolicy.from_dict(found.policy.to_dict())
            assert again.gains[0].form == "always"
        dear = best_cascade(tiers_of(said, (0.0, 20.0)), policy, truth, at_least=2)
        assert dear.price_factor != EVERYBODY
    assert asked >= 3


def test_a_cascade_has_as_many_tiers_as_it_must() -> None:
    truth, said = drawn(np.random.default_rng(2), 100, (2.0, 2.2))
    twins = tiers_of([said[0], said[0]], (0.0, 0.0))
    found = best_cascade(twins, POLICY, truth, at_least=2)
    assert len(found.policy.tiers) == 2
    alone = realised(POLICY.values, truth, POLICY.decide(said[0]).actions).mean()
    assert found.valued.value == pytest.approx(alone), "a twin changes nothing"
    with pytest.raises(EconomicsError, match="PF614"):
        best_cascade(twins[:1], POLICY, truth, at_least=2)
