"""Properties that a cascade must have whatever its tiers are, and simulations with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.cascade import Cascade, CascadeTier
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.folds import FOLDS
from payoff.economics.outcome import realised
from payoff.economics.policy import Policy

seeds = st.integers(0, 2**32 - 1)
several = settings(max_examples=4, deadline=None)


@several
@given(seeds)
def test_a_free_and_perfect_tier_is_asked_where_it_helps(seed: int) -> None:
    policy = policy_of()
    truth, (said,) = drawn(np.random.default_rng(seed), 400, (1.5,))
    tiers = tiers_of([said, np.eye(6)[truth]], (0.0, 0.0))
    done = Cascade.fit(tiers, policy, truth).judged
    alone = realised(policy.values, truth, policy.decide(said).actions)
    helped = alone < 3.0
    assert done.tiers[helped].mean() >= 0.9
    assert done.value >= 3.0 - 0.05 * (3.0 - alone.mean()), "the rest is what no row has shown"


@several
@given(seeds, st.floats(9.01, 1e6))
def test_a_tier_that_costs_more_than_it_can_bring_is_never_asked(seed: int, cost: float) -> None:
    policy = policy_of()  # the best action is worth 9 more than the worst
    truth, (said,) = drawn(np.random.default_rng(seed), 100, (1.5,))
    cascade = Cascade.fit(tiers_of([said, np.eye(6)[truth]], (0.0, cost)), policy, truth)
    assert not cascade.judged.tiers.any()
    unseen = np.random.default_rng(seed).dirichlet(np.ones(6), 500)
    asked = cascade.policy.answer(policy, 500, lambda tier, rows: unseen[rows])
    assert not asked.tiers.any()


@several
@given(seeds, st.sampled_from([0.01, 7.0, 1000.0]))
def test_another_currency_changes_the_amounts_alone(seed: int, rate: float) -> None:
    policy = policy_of()
    truth, said = drawn(np.random.default_rng(seed), 200, (1.5, 2.5, 3.0))
    costs = np.array([0.001, 0.05, 0.2])
    one = Cascade.fit(tiers_of(said, costs), policy, truth)
    dear = Policy(policy.labels, policy.values * rate)
    other = Cascade.fit(tiers_of(said, costs * rate), dear, truth)
    assert np.array_equal(one.judged.tiers, other.judged.tiers)
    assert other.judged.value == pytest.approx(one.judged.value * rate)


@several
@given(seeds)
def test_other_names_of_the_labels_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy = policy_of()
    truth, said = drawn(rng, 200, (1.5, 2.5))
    order = rng.permutation(6)  # column j is now the label order[j]
    place = np.argsort(order)
    values = policy.values[order][:, [*order, 6]]
    one = Cascade.fit(tiers_of(said, (0.0, 0.1)), policy, truth)
    other = Cascade.fit(
        tiers_of([p[:, order] for p in said], (0.0, 0.1)),
        Policy(policy.labels, values),
        place[truth],
    )
    assert np.array_equal(one.judged.tiers, other.judged.tiers)
    assert other.judged.value == pytest.approx(one.judged.value)


def test_dearer_tiers_are_asked_less() -> None:
    policy = policy_of()
    truth, said = drawn(np.random.default_rng(0), 600, (1.5, 3.0))
    shares = [
        Cascade.fit(tiers_of(said, (0.0, cost)), policy, truth).judged.shares(2)[1]
        for cost in (0.0, 0.5, 1.5, 6.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.5
    assert shares[-1] < 0.1


def test_one_tier_is_its_own_cascade() -> None:
    policy = policy_of()
    truth, said = drawn(np.random.default_rng(0), 50, (2.0,))
    cascade = Cascade.fit(tiers_of(said, (0.25,)), policy, truth)
    worths = realised(policy.values, truth, policy.decide(said[0]).actions)
    assert cascade.judged.value == pytest.approx(worths.mean() - 0.25)
    assert cascade.policy.gains == ()


def test_a_row_of_hardly_any_weight_counts_for_nothing() -> None:
    policy = policy_of()
    truth, said = drawn(np.random.default_rng(3), 200, (1.5, 2.5))
    wrong = np.where(np.arange(200) < 100, truth, (truth + 1) % 6)
    weights = np.where(np.arange(200) < 100, 5.0, 1e-12)
    kept = Cascade.fit(tiers_of(said, (0.0, 0.1)), policy, truth, row_weights=weights)
    spoilt = Cascade.fit(tiers_of(said, (0.0, 0.1)), policy, wrong, row_weights=weights)
    assert kept.judged.value == pytest.approx(spoilt.judged.value)


def test_what_does_not_fit_is_refused() -> None:
    policy = policy_of()
    truth, said = drawn(np.random.default_rng(0), 20, (2.0, 3.0))
    tiers = tiers_of(said, (0.0, 0.1))
    with pytest.raises(EconomicsError, match="PF614"):
        Cascade.fit([], policy, truth)
    with pytest.raises(EconomicsError, match="PF614"):
        Cascade.fit(tiers, policy, truth[: FOLDS - 1])
    with pytest.raises(EconomicsError, match="PF614"):
        Cascade.fit(tiers, policy, truth[:-1])
    with pytest.raises(EconomicsError, match="PF614"):
        Cascade.fit(tiers, policy, truth, row_weights=-np.ones(20))
    with pytest.raises(EconomicsError, match="PF614"):
        Cascade.fit(tiers, policy, truth, row_weights=np.zeros(20))
    with pytest.raises(EconomicsError, match="PF611"):
        Cascade.fit([replace(tiers[0], probabilities=said[0] * 2)], policy, truth)
    with pytest.raises(EconomicsError, match="PF604"):
        Cascade.fit([CascadeTier("paid to be asked", said[0], -1.0)], policy, truth)


def test_its_own_judgement_does_not_flatter_it() -> None:
    """Over many draws the cross-fitted value is not above what new requests are worth."""
    policy, costs = policy_of(wrong=-20.0), (0.001, 0.05, 0.3)
    flattered, lead = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        truth, said = drawn(rng, 150, (1.2, 2.2, 3.0))
        new_truth, new_said = drawn(rng, 4000, (1.2, 2.2, 3.0))
        cascade = Cascade.fit(tiers_of(said, costs), policy, truth)
        done = cascade.policy.answer(policy, 4000, lambda tier, rows, p=new_said: p[tier][rows])
        value = CascadeOutcome.of(policy, done, new_truth).value
        alone = [
            realised(policy.values, new_truth, policy.decide(p).actions).mean() - cost
            for p, cost in zip(new_said, costs, strict=True)
        ]
        flattered.append(cascade.judged.value - value)
        lead.append(value - max(alone))
    error = np.std(flattered) / np.sqrt(len(flattered))
    assert np.mean(flattered) <= 2 * error
    assert np.mean(lead) >= -0.02, "no worse than the best tier alone, but for noise"
