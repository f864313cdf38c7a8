"""Search for the tiers that pay: a model is kept only where it earns more than it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascade import Cascade, CascadeTier
from payoff.economics.cascade_frontier import price_factors
from payoff.economics.policy import Policy

Array = NDArray[np.float64]
Choice = tuple[int, ...]

_FEW = 4  # tiers of which every choice is tried
_TIE = 1e-9  # of the payoff's largest amount


def best_cascade(
    tiers: Sequence[CascadeTier],
    policy: Policy,
    truth: NDArray[np.int64],
    *,
    row_weights: Array | None = None,
    seed: int = 0,
) -> Cascade:
    """The cascade of the highest cross-fitted value; of one tier, where no more than one pays.

    Tiers are asked from cheap to dear. Of up to four every choice is tried. Of more, the best one
    alone is the start, and the one tier whose adding or leaving out brings most is added or left
    out until none brings anything. Among equals the one of fewer tiers wins, and a tier that
    answers nobody is not kept.

    At last models are taken to be dearer than they are where that is worth more: what a gain
    learnt from few requests promises is often a little too much, the less so the more it must be.

    The value of the best of many is too high by what luck helped it to win: report it on other
    rows than these.

    Args:
        tiers: What may be asked.
        policy: What is worth what.
        truth: Classes, ``(n,)``.
        row_weights: Weight of each request, ``(n,)``; None where all weigh the same.
        seed: Decides who is in which fold.

    Raises:
        EconomicsError: PF614 where there is no tier; else as `Cascade.fit`.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> truth = np.tile([0, 0, 0, 1], 10)
        >>> words = np.tile([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], (10, 1))
        >>> offered = [CascadeTier("words", words, 0.0), CascadeTier("too dear", words, 20.0),
        ...            CascadeTier("encoder", np.eye(2)[truth], 0.1)]
        >>> best_cascade(offered, policy, truth).policy.tiers
        ('words', 'encoder')
    """
    if not tiers:
        raise EconomicsError("PF614", "cascade", "there is no tier", expected="one or more")
    ordered = sorted(tiers, key=lambda tier: tier.cost)
    tie = _TIE * float(np.abs(policy.values).max(initial=0.0))
    fitted: dict[Choice, Cascade] = {}

    def value(choice: Choice) -> float:
        if choice not in fitted:
            chosen = [ordered[place] for place in choice]
            fitted[choice] = Cascade.fit(chosen, policy, truth, row_weights=row_weights, seed=seed)
        return _value(fitted[choice])

    choice = _chosen(len(ordered), value, tie)
    used, best = [ordered[place] for place in choice], fitted[choice]
    for factor in price_factors(used, policy)[1:]:
        dearer = Cascade.fit(
            used, policy, truth, price_factor=factor, row_weights=row_weights, seed=seed
        )
        if _value(dearer) > _value(best) + tie:
            best = dearer
    return best


def _value(cascade: Cascade) -> float:
    """Its value; none where a tier answers nobody."""
    judged = cascade.judged
    shares = judged.shares(len(cascade.policy.tiers))
    return judged.value if min(shares) > 0 else -np.inf


def _chosen(n_tiers: int, value: Callable[[Choice], float], tie: float) -> Choice:
    """The tiers, by their places."""
    places = range(n_tiers)
    best = _best([(place,) for place in places], value, tie)
    if n_tiers <= _FEW:
        every = [c for size in range(1, n_tiers + 1) for c in combinations(places, size)]
        return _best(every, value, tie)
    while True:
        near = [tuple(sorted({*best} ^ {place})) for place in places if {*best} != {place}]
        better = _best([best, *sorted(near, key=len)], value, tie)
        if better == best:
            return best
        best = better


def _best(choices: Sequence[Choice], value: Callable[[Choice], float], tie: float) -> Choice:
    """The first of the highest value, but for differences that are none."""
    best = choices[0]
    for choice in choices[1:]:
        if value(choice) > value(best) + tie:
            best = choice
    return best
