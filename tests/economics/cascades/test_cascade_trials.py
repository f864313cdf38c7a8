"""Cascade trials: the quick comparison says what solving each choice by itself would say."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade_gain import fit_gain
from payoff.economics.cascades.cascade_problem import CascadeProblem
from payoff.economics.cascades.cascade_trials import CascadeTrials
from payoff.economics.cascades.folds import folds

POLICY = policy_of()


def slowly(problem: CascadeProblem, rows: Any, seed: int, choice: Any, factor: float) -> float:
    """Fold by fold and row by row, from the definition."""
    chain = problem.choose(choice)
    tiers = chain.tiers
    worths = [chain.worth(place, len(choice) - 1) for place in range(len(choice))]
    nets, counts = np.empty(len(rows)), np.zeros(len(tiers))
    for inside in folds(len(rows), seed):
        learn = np.delete(rows, inside)
        after, gains = worths[-1][learn], {}
        for t in range(len(tiers) - 2, -1, -1):
            gone = after - factor * tiers[t + 1].cost
            known, w = tiers[t].known.take(learn), problem.row_weights[learn]
            gains[t] = fit_gain("isotonic", known, gone - worths[t][learn], 6, row_weights=w)
            after = np.where(gains[t].of(known) > 0, gone, worths[t][learn])
        for place in inside:
            row, tier, cost = rows[place], 0, tiers[0].cost
            while tier in gains and gains[tier].of(tiers[tier].known.take(rows[[place]]))[0] > 0:
                tier += 1
                cost += tiers[tier].cost
            nets[place] = tiers[tier].realised[row] - cost
            counts[tier] += 1
    if not counts[-1]:
        return -np.inf
    return float(np.average(nets, weights=problem.row_weights[rows]))


@pytest.mark.parametrize("weighed", [False, True])
def test_it_is_what_solving_each_choice_gives(weighed: bool) -> None:
    rng = np.random.default_rng(3)
    truth, said = drawn(rng, 160, (1.2, 1.8, 2.4, 2.6))
    weights = rng.uniform(0.5, 2.0, 160) if weighed else None
    problem = CascadeProblem.of(tiers_of(said, (0.001, 0.01, 0.05, 0.3)), POLICY, truth, weights)
    rows = np.sort(rng.permutation(160)[:130])
    trials, seen = CascadeTrials(problem, rows, 5), []
    for size in (1, 2, 3, 4):
        for choice in combinations(range(4), size):
            for factor in (1.0, 7.0):
                told = trials.value(choice, factor)
                assert told == pytest.approx(slowly(problem, rows, 5, choice, factor), abs=1e-12)
                seen.append(told)
    assert np.isfinite(seen).sum() > 12


def test_rows_that_are_not_tried_do_not_matter() -> None:
    truth, said = drawn(np.random.default_rng(4), 150, (1.2, 2.5))
    rows = np.arange(100)
    other = np.where(np.arange(150) < 100, truth, (truth + 1) % 6)
    tiers, blends = tiers_of(said, (0.0, 0.1)), Blends(truth)
    problems = [CascadeProblem.of(tiers, POLICY, t, blends=blends) for t in (truth, other)]
    values = [CascadeTrials(problem, rows, 0).value((0, 1)) for problem in problems]
    assert values[0] == values[1]
