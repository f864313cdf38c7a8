"""The problem answers as the policy that it solves does, and knows only the rows it is given."""

from __future__ import annotations

import numpy as np
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.economics.cascades.cascade_problem import CascadeProblem

POLICY = policy_of()


def test_it_answers_as_the_policy_does() -> None:
    truth, said = drawn(np.random.default_rng(0), 120, (1.2, 2.0, 3.0))
    problem = CascadeProblem.of(tiers_of(said, (0.001, 0.01, 0.2)), POLICY, truth)
    rows = np.arange(20, 120)
    solved = problem.solved(rows, 1)
    quick = problem.answered(rows, problem.stops(solved, rows))
    slow = solved.answer(POLICY, len(rows), lambda tier, asked: said[tier][rows[asked]])
    assert len(np.unique(quick.tiers)) > 1
    np.testing.assert_array_equal(quick.tiers, slow.tiers)
    np.testing.assert_allclose(quick.costs, slow.costs)
    np.testing.assert_array_equal(quick.probabilities, slow.probabilities)


def test_a_dearer_price_asks_less_and_is_told_as_it_is() -> None:
    truth, said = drawn(np.random.default_rng(1), 200, (1.2, 3.0))
    problem = CascadeProblem.of(tiers_of(said, (0.0, 0.1)), POLICY, truth)
    rows = np.arange(200)
    shares = []
    for factor in (1.0, 10.0, 100.0):
        dearer = problem.choose((0, 1), factor)
        solved = dearer.solved(rows, 0)
        assert solved.costs == (0.0, 0.1)
        shares.append(dearer.stops(solved, rows)[0].mean())
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1] == 0.0


def test_other_rows_do_not_matter() -> None:
    truth, said = drawn(np.random.default_rng(2), 150, (1.2, 2.5))
    rows = np.arange(100)
    other = np.where(np.arange(150) < 100, truth, (truth + 1) % 6)
    gains = [
        CascadeProblem.of(tiers_of(said, (0.0, 0.1)), POLICY, labels).solved(rows, 0).to_dict()
        for labels in (truth, other)
    ]
    assert gains[0] == gains[1]
