"""Search for the tiers that pay: a model is kept only where it earns more than it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.one_thread import one_thread_each
from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade import Cascade, CascadeTier
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.cascade_policy import Answered, CascadePolicy
from payoff.economics.cascades.cascade_problem import (
    EVERYBODY,
    CascadeProblem,
    Choice,
    Rows,
    outside,
)
from payoff.economics.cascades.cascade_trials import CascadeTrials
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

Array = NDArray[np.float64]

_MOST = 4  # tiers among which is searched
_MARGINS = (0.002, 0.01, 0.05)
"""What asking may be taken to cost at least, in spreads of the payoff."""
_TIE = 1e-9  # of the payoff's largest amount


@one_thread_each()
def best_cascade(
    tiers: Sequence[CascadeTier],
    policy: Policy,
    truth: NDArray[np.int64],
    *,
    at_least: int = 1,
    row_weights: Array | None = None,
    segments: Segments | None = None,
    blends: Blends | None = None,
    seed: int = 0,
) -> Cascade:
    """The cascade of the highest cross-fitted value, valued as if it had not been chosen.

    Tiers are asked from cheap to dear. Where there are more than four, the cheapest is looked at,
    then those that are worth more alone than any cheaper one, the best first, and then the others.
    Of these every choice of ``at_least`` is tried; then the tier whose adding brings most is added,
    until none brings anything. Among equals the one of fewer tiers wins, and a last tier that
    answers nobody is not kept; one before it may answer nobody, where what it says helps those
    after it. Where it is worth more to ask all models of a choice about every request, that is
    done; else models are at last taken to be dearer than they are where that is worth more: what a
    gain learnt from few requests promises is often a little too much, the less so the more it
    must be.

    The cross-fitted value of the best of many is too high by what luck helped it to win
    (``benchmarks/cascades.py`` says by how much). So all of this is done again on four fifths of
    the requests for each fifth, which is answered by what was chosen without it: `Cascade.valued`
    is what this way of choosing is worth, learnt from somewhat fewer requests (nested
    cross-validation, Varma and Simon 2006, "Bias in error estimation when using cross-validation
    for model selection").

    Args:
        tiers: What may be asked.
        policy: What is worth what.
        truth: Classes, ``(n,)``.
        at_least: Tiers that the cascade must have.
        row_weights: Weight of each request, ``(n,)``; None where all weigh the same.
        segments: Segment of each request, ``(n,)``; None where none is known.
        blends: As `Cascade.fit` has it.
        seed: Decides who is in which fold.

    Raises:
        EconomicsError: PF614 where there are not so many tiers; else as `Cascade.fit`.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> truth = np.tile([0, 0, 0, 1], 10)
        >>> words = np.tile([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], (10, 1))
        >>> offered = [CascadeTier("words", words, 0.0), CascadeTier("too dear", words, 20.0),
        ...            CascadeTier("encoder", np.eye(2)[truth], 0.1)]
        >>> found = best_cascade(offered, policy, truth)
        >>> found.policy.tiers, round(found.valued.value, 4)
        (('words', 'encoder'), 2.95)
    """
    if len(tiers) < max(1, at_least):
        raise EconomicsError(
            "PF614", "cascade", f"{len(tiers)} tiers", expected=f"{max(1, at_least)} or more"
        )
    ordered = sorted(tiers, key=lambda tier: tier.cost)
    problem = CascadeProblem.of(ordered, policy, truth, row_weights, segments, blends=blends)
    everyone = np.arange(len(truth))

    def answer(others: Rows, inside: Rows, own: int) -> Answered:
        found = _found(problem, others, at_least, own)
        done = found.problem.answered(inside, found.problem.stops(found.policy, inside))
        return replace(done, tiers=np.array(found.choice, dtype=np.int64)[done.tiers])

    found = _found(problem, everyone, at_least, seed)
    judged, valued = (
        CascadeOutcome.of(policy, done, truth, row_weights=problem.row_weights, segments=segments)
        for done in (
            found.problem.cross_fitted(everyone, seed),
            outside(everyone, seed, answer),
        )
    )
    return Cascade(found.policy, judged, valued, found.problem.price_factor)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was chosen by some of the requests, and learnt from the same."""

    choice: Choice
    problem: CascadeProblem
    policy: CascadePolicy


def _found(problem: CascadeProblem, rows: Rows, at_least: int, seed: int) -> _Found:
    """The tiers, and how much dearer than they are they are to be taken to be."""
    tie = _TIE * problem.policy.tables.largest
    values: dict[Choice, float] = {}
    trials = CascadeTrials(problem, rows, seed)

    def value(choice: Choice) -> float:
        if choice not in values:
            values[choice] = trials.value(choice)
        return values[choice]

    offered = _offered(problem, rows)
    tried = list(combinations(offered, max(1, at_least)))
    best = _best(tried, value, tie)
    while more := [tuple(sorted((*best, place))) for place in offered if place not in best]:
        tried += more
        better = _best([best, *more], value, tie)
        if better == best:
            break
        best = better
    pooled = _best(tried, partial(trials.value, price_factor=EVERYBODY), tie)
    if trials.value(pooled, EVERYBODY) > max(value(best), trials.value(pooled[:1])) + tie:
        chosen = problem.choose(pooled, EVERYBODY)
        return _Found(pooled, chosen, chosen.solved(rows, seed))
    highest, factor = value(best), 1.0
    spread = problem.policy.tables.spread
    dearest = max((problem.tiers[place].cost for place in best[1:]), default=0.0)
    for margin in _MARGINS if dearest > 0 else ():
        dearer = max(1.0, margin * spread / dearest)
        own = trials.value(best, dearer)
        if own > highest + tie:
            highest, factor = own, dearer
    chosen = problem.choose(best, factor)
    return _Found(best, chosen, chosen.solved(rows, seed))


def _offered(problem: CascadeProblem, rows: Rows) -> list[int]:
    """Places of the tiers that are looked at."""
    weights = problem.row_weights[rows]
    nets = [
        float(np.average(tier.realised[rows], weights=weights)) - tier.cost
        for tier in problem.tiers
    ]
    leads = [net > max(nets[:place], default=-np.inf) for place, net in enumerate(nets)]
    by_rank = sorted(
        range(len(nets)), key=lambda place: (place > 0, not leads[place], -nets[place])
    )
    return sorted(by_rank[:_MOST])


def _best(choices: Sequence[Choice], value: Callable[[Choice], float], tie: float) -> Choice:
    """The first of the highest value, but for differences that are none."""
    best = choices[0]
    for choice in choices[1:]:
        if value(choice) > value(best) + tie:
            best = choice
    return best
