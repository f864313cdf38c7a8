"""Cascade: tiers from cheap to dear, and when to go on, learnt from held-out requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascade_gain import FORMS, Gain, Knowledge, fit_gain
from payoff.economics.cascade_outcome import CascadeOutcome
from payoff.economics.cascade_policy import Answered, CascadePolicy
from payoff.economics.outcome import realised
from payoff.economics.policy import Policy

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

FOLDS = 5
"""Parts of the cross-fitting."""

_CLEAR = 2.0
"""Standard errors by which a form must be better to be preferred to a plainer one."""

_TRUE = 0.5
"""Share of the truth in what the gains learn from; the rest is what the last tier believes.

The truth alone varies with every single error; the last tier alone knows nothing of its own. Half
of each was no worse than either in simulations with 300 and 1,000 requests.
"""


@dataclass(frozen=True, eq=False)
class CascadeTier:
    """A model that may be asked, on held-out requests.

    Args:
        name: What people call it.
        probabilities: Calibrated on other requests, ``(n, k)``.
        cost: What asking it costs, money per request: seconds or tokens times their price.

    Example:
        >>> CascadeTier("words", np.array([[0.9, 0.1]]), 0.0001).name
        'words'
    """

    name: str
    probabilities: Array
    cost: float


@dataclass(frozen=True, eq=False)
class Cascade:
    """A cascade and what it is worth.

    Args:
        policy: Learnt from all held-out requests: what is deployed.
        judged: The same requests, each decided by a policy learnt from the others.
        price_factor: How many times dearer than they are models were taken to be when it was
            learnt when to go on.
    """

    policy: CascadePolicy
    judged: CascadeOutcome
    price_factor: float = 1.0

    @classmethod
    def fit(
        cls,
        tiers: Sequence[CascadeTier],
        policy: Policy,
        truth: NDArray[np.int64],
        *,
        price_factor: float = 1.0,
        row_weights: Array | None = None,
        seed: int = 0,
    ) -> Cascade:
        """Learn when each tier should go on, from the last one backwards.

        What is regressed is ``V_{t+1}`` less the worth of stopping, which is only the cost where
        both act alike, and so varies less than either. Both are valued half by the true label
        and half by the last tier's probabilities. The form of the regression is the plainest one
        that no other beats in cross-fitted squared error by more than chance. What comes after a
        tier is decided by gains that did not know the request. `judged` is valued by true labels
        alone.

        Args:
            tiers: In the order in which they are asked.
            policy: What is worth what.
            truth: Classes, ``(n,)``.
            price_factor: How many times dearer than they are to take models to be when learning
                when to go on: above 1 it asks less. Costs are told as they are.
            row_weights: Weight of each request, ``(n,)``; None where all weigh the same.
            seed: Decides who is in which fold.

        Raises:
            EconomicsError: PF611 where probabilities, PF614 where truth or weights do not fit;
                PF604 for a cost below 0.

        Example:
            >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
            >>> truth = np.tile([0, 0, 0, 1], 10)
            >>> words = np.tile([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], (10, 1))
            >>> tiers = [CascadeTier("words", words, 0.0),
            ...          CascadeTier("encoder", np.eye(2)[truth], 0.1)]
            >>> cascade = Cascade.fit(tiers, policy, truth)
            >>> cascade.judged.shares(2), round(cascade.judged.value, 4)
            ((0.5, 0.5), 2.95)
        """
        problem = _Problem.of(tiers, policy, truth, row_weights)
        problem = replace(problem, costs=tuple(c * price_factor for c in problem.costs))
        everyone = np.arange(len(truth))
        gains = _solved(problem, everyone, seed)
        names, costs = tuple(t.name for t in tiers), tuple(float(t.cost) for t in tiers)
        probabilities = np.empty_like(problem.probabilities[0])
        answering, paid = np.empty(len(truth), dtype=np.int64), np.empty(len(truth))
        for number, inside in enumerate(_folds(len(truth), seed) if len(tiers) > 1 else ()):
            fitted = _solved(problem, np.setdiff1d(everyone, inside), seed + number + 1)
            done = problem.answered(CascadePolicy(names, costs, fitted), inside)
            probabilities[inside], answering[inside] = done.probabilities, done.tiers
            paid[inside] = done.costs
        deployed = CascadePolicy(names, costs, gains)
        judged = Answered(probabilities, answering, paid)
        if len(tiers) == 1:
            judged = problem.answered(deployed, everyone)
        outcome = CascadeOutcome.of(policy, judged, truth, row_weights=problem.row_weights)
        return cls(deployed, outcome, price_factor)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Held-out requests, with what each tier knows of them and its answer is worth."""

    policy: Policy
    probabilities: tuple[Array, ...]
    known: tuple[Knowledge, ...]
    worths: tuple[Array, ...]
    costs: tuple[float, ...]
    row_weights: Array

    @classmethod
    def of(
        cls,
        tiers: Sequence[CascadeTier],
        policy: Policy,
        truth: NDArray[np.int64],
        row_weights: Array | None,
    ) -> _Problem:
        n = len(truth)
        weights = np.ones(n) if row_weights is None else np.asarray(row_weights, np.float64)
        good = weights.shape == (n,) and np.isfinite(weights).all() and (weights > 0).all()
        if n < FOLDS or not tiers or not good:
            raise EconomicsError(
                "PF614",
                "cascade",
                f"{len(tiers)} tiers, {n} requests, weights of the shape {weights.shape}",
                expected=f"a tier, {FOLDS} requests, and a weight above 0 for each",
            )
        actions = [policy.decide(tier.probabilities).actions for tier in tiers]
        believed = policy.shifted(tiers[-1].probabilities) @ policy.values
        worths = [
            _TRUE * realised(policy.values, truth, done)
            + (1.0 - _TRUE) * np.take_along_axis(believed, done[:, None], axis=1)[:, 0]
            for done in actions
        ]
        return cls(
            policy,
            tuple(tier.probabilities for tier in tiers),
            tuple(Knowledge.of(policy, tier.probabilities) for tier in tiers),
            tuple(worths),
            tuple(float(tier.cost) for tier in tiers),
            weights / weights.mean(),
        )

    def answered(self, cascade: CascadePolicy, rows: Rows) -> Answered:
        """What a cascade does with some of the requests."""

        def ask(tier: int, asked: Rows) -> Array:
            return self.probabilities[tier][rows[asked]]

        return cascade.answer(self.policy, len(rows), ask)


def _solved(problem: _Problem, rows: Rows, seed: int) -> tuple[Gain, ...]:
    """The gains, learnt from some of the requests, the last first."""
    gains: list[Gain] = []
    after = problem.worths[-1][rows]  # what is still to come, once a tier was paid
    for tier in range(len(problem.costs) - 2, -1, -1):
        stopped = problem.worths[tier][rows]
        gone = after - problem.costs[tier + 1]
        gain, expected = _fitted(problem, tier, rows, gone - stopped, seed)
        after = np.where(expected > 0, gone, stopped)
        gains.append(gain)
    return tuple(reversed(gains))


def _fitted(
    problem: _Problem, tier: int, rows: Rows, gained: Array, seed: int
) -> tuple[Gain, Array]:
    """The gain of the best form, and what it expects of each request that it did not know."""
    known, weights = problem.known[tier].take(rows), problem.row_weights[rows]
    n_labels = len(problem.policy.labels)
    parts = _folds(len(rows), seed)

    def fitted(form: str, some: NDArray[Any]) -> Gain:
        return fit_gain(form, known.take(some), gained[some], n_labels, row_weights=weights[some])

    best, errors, expected = FORMS[0], np.full(len(rows), np.inf), gained
    for form in FORMS:
        told = np.empty(len(rows))
        for inside in parts:
            others = np.ones(len(rows), dtype=np.bool_)
            others[inside] = False
            told[inside] = fitted(form, others).of(known.take(inside))
        own = weights * (told - gained) ** 2
        if form == FORMS[0] or _clearly_above(errors, own):
            best, errors, expected = form, own, told
    return fitted(best, np.ones(len(rows), dtype=np.bool_)), expected


def _clearly_above(high: Array, low: Array) -> bool:
    """Whether the mean of paired differences is above 0 by more than chance."""
    difference = high - low
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) > _CLEAR * error


def _folds(n: int, seed: int) -> list[Rows]:
    """Rows of each fold; labels play no part, so that their names do not matter."""
    shuffled = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(shuffled, min(FOLDS, n))]
