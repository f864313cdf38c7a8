"""Capacity: no more is handed over than people can take, and it is what they are worth most for."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.capacity import within_capacity
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

LABELS = ("a", "b", "c")
WORTH = Payoff(correct=1.0, wrong=-9.0, handoff=-0.5, currency="USD")


def drawn(seed: int, n: int, shift: bool = False) -> tuple[Policy, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 5, (3, 4))
    values[:, 3] += 3
    p = rng.dirichlet(np.full(3, 0.5), n)
    return Policy(LABELS, values, rng.uniform(0.2, 4, 3) if shift else None), p


def share(policy: Policy, p: NDArray[np.float64]) -> float:
    return float((policy.decide(p).actions == 3).mean())


@given(seed=st.integers(0, 10**6), at_most=st.floats(0, 1.2), shift=st.booleans())
@settings(deadline=None)
def test_never_more_than_people_can_take(seed: int, at_most: float, shift: bool) -> None:
    policy, p = drawn(seed, 40, shift)
    held = within_capacity(policy, p, at_most)
    assert held.handed_share <= at_most * (1 + 1e-9)
    assert held.price >= 0
    # complementary slackness: a price only where people are short
    assert (held.price == 0) == (held.handed_share_before <= at_most * (1 + 1e-12))
    if held.price == 0:
        assert held.policy is policy


@given(seed=st.integers(0, 10**6), at_most=st.floats(0, 1))
@settings(deadline=None)
def test_a_lower_price_would_hand_over_too_much(seed: int, at_most: float) -> None:
    policy, p = drawn(seed, 40)
    held = within_capacity(policy, p, at_most)
    if held.price > 1e-6:
        cheaper = np.zeros_like(policy.values)
        cheaper[:, 3] = held.price * (1 - 1e-7) - 1e-7
        assert share(policy.penalised(cheaper), p) > at_most


@given(seed=st.integers(0, 10**6), few=st.integers(0, 6))
@settings(deadline=None, max_examples=40)
def test_no_other_choice_of_as_many_is_worth_more(seed: int, few: int) -> None:
    policy, p = drawn(seed, 7)
    held = within_capacity(policy, p, few / 7)
    expected = policy.expected_values(p)
    best = max(
        expected[list(chosen), 3].sum()
        + expected[[i for i in range(7) if i not in chosen], :3].max(axis=1).sum()
        for size in range(few + 1)
        for chosen in combinations(range(7), size)
    )
    assert held.policy.decide(p).values.sum() == pytest.approx(best)


@given(seed=st.integers(0, 10**6), few=st.integers(0, 6), unanswered=st.floats(-8, 4))
@settings(deadline=None, max_examples=60)
def test_what_stays_unanswered_is_left_where_acting_costs_more(
    seed: int, few: int, unanswered: float
) -> None:
    """Beside all ways to hand over some of seven requests, of which people answer the first few."""
    policy, p = drawn(seed, 7)
    people = np.full((3, 1), 4.5)  # their answer is worth the same, whatever the label
    policy = Policy(LABELS, np.hstack([policy.values[:, :3], people]))
    held = within_capacity(policy, p, few / 7, unanswered=unanswered)
    acting = policy.expected_values(p)[:, :3].max(axis=1)

    def worth(handed: NDArray[np.bool_]) -> float:
        n = int(handed.sum())
        left = max(0, n - few) * unanswered
        return float(acting[~handed].sum()) + min(n, few) * 4.5 + left

    every = (np.array([number >> i & 1 for i in range(7)], dtype=bool) for number in range(128))
    assert worth(held.policy.decide(p).actions == 3) == pytest.approx(max(map(worth, every)))


def test_no_answer_that_is_worth_more_than_a_persons_moves_no_limit() -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    p = np.full((50, 3), 1 / 3)
    held = within_capacity(policy, p, 0.0, unanswered=-0.5)  # as much as a person's
    assert held.handed_share == 0.0
    left = within_capacity(policy, p, 0.0, unanswered=-0.6)
    assert (left.handed_share, share(left.policy, p)) == (1.0, 1.0)


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_more_people_are_never_worth_less(seed: int) -> None:
    policy, p = drawn(seed, 40)
    held = [within_capacity(policy, p, part) for part in np.linspace(0, 1, 9)]
    worths = [one.policy.decide(p).values.sum() for one in held]
    assert all(b >= a - 1e-9 for a, b in pairwise(worths))
    prices = [one.price for one in held]
    assert prices == sorted(prices, reverse=True)


@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.25, 8.0]))
@settings(deadline=None, max_examples=30)
def test_another_currency_scales_the_price(seed: int, factor: float) -> None:
    policy, p = drawn(seed, 40)
    one = within_capacity(policy, p, 0.1)
    other = within_capacity(Policy(LABELS, policy.values * factor), p, 0.1)
    assert other.price == pytest.approx(one.price * factor)
    assert other.handed_share == one.handed_share


def test_nobody_there_means_nothing_is_handed_over() -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    p = np.full((50, 3), 1 / 3)
    assert share(policy, p) == 1.0
    held = within_capacity(policy, p, 0.0)
    assert (held.handed_share, share(held.policy, p)) == (0.0, 0.0)
    # every request is the same: a handoff is worth −0.5, a guess 1/3 − 2/3 · 9 = −5 2/3
    assert held.price == pytest.approx(-0.5 + 17 / 3)
    # values told are those of the payoff: the price is none of them
    assert held.policy.decide(p).values == pytest.approx(np.full(50, -17 / 3))


def test_another_mix_is_what_counts() -> None:
    """Hard requests are half of the data but a tenth of those to come: no price is needed."""
    values = np.array([[1.0, -9.0, 0.0], [-9.0, 1.0, 0.0]])
    p = np.array([[0.99, 0.01]] * 50 + [[0.30, 0.70]] * 50)
    plain, shifted = Policy(("a", "b"), values), Policy(("a", "b"), values, np.array([1.0, 0.1]))
    assert within_capacity(plain, p, 0.3).price > 0
    # the second half counts 0.3 + 0.07 against 0.991 of the first: 27 % of the requests to come
    held = within_capacity(shifted, p, 0.3)
    assert held.handed_share == pytest.approx(0.37 / (0.37 + 0.991))
    assert held.price == 0


@pytest.mark.parametrize(("at_most", "n"), [(-0.1, 5), (float("nan"), 5), (0.5, 0)])
def test_what_is_no_capacity(at_most: float, n: int) -> None:
    with pytest.raises(EconomicsError, match="PF641"):
        within_capacity(Policy.from_payoff(WORTH, LABELS), np.full((n, 3), 1 / 3), at_most)
