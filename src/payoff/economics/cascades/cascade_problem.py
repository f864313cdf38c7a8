"""Cascade problem: held-out requests, what each tier knows of them, and when it should go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import ALONE, Blend, Blends
from payoff.economics.cascades.cascade_gain import FORMS, Gain, Knowledge, fit_gain
from payoff.economics.cascades.cascade_policy import Answered, CascadePolicy
from payoff.economics.cascades.folds import FOLDS, folds
from payoff.economics.cascades.rising import RisingGroups
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

if TYPE_CHECKING:
    from payoff.economics.cascades.cascade import CascadeTier

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Choice = tuple[int, ...]
"""Places of tiers, in the order in which they are asked."""

Stops = tuple[Rows, Array]
"""The tier that answers each request, and what asking all up to it cost."""

EVERYBODY = 0.0
"""In place of a price factor: every model is asked about every request, and all are believed."""

_CLEAR = 2.0
"""Standard errors by which a form must be better to be preferred to a plainer one."""

_TRUE = 0.5
"""Share of the truth in what the gains learn from; the rest is what the last tier believes.

The truth alone varies with every single error; the last tier alone knows nothing of its own. Half
of each was no worse than either in simulations with 300 and 1,000 requests.
"""


@dataclass(frozen=True, eq=False)
class TierRows:
    """What one tier does with each held-out request.

    Args:
        tier: The tier, with what it says once it is joined with what was said before.
        policy: What is worth what.
        shifted: Its probabilities under the expected mix, ``(n, k)``.
        believed: What it expects of every action, ``(n, k+1)``.
        actions: What would be done by it alone, ``(n,)``.
        realised: What that turns out to be worth, ``(n,)``.
        segments: Segment of each request, ``(n,)``; None where none is known.
        blend: How it is joined, learnt from all requests.

    Example:
        >>> from payoff.economics.cascades.cascade import CascadeTier
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> words = CascadeTier("words", np.array([[0.9, 0.1], [0.9, 0.1]]), 0.0)
        >>> rows = TierRows.of(words, policy, np.array([0, 1]))
        >>> rows.actions, rows.realised
        (array([0, 0]), array([ 3., -7.]))
    """

    tier: CascadeTier
    policy: Policy
    shifted: Array
    believed: Array
    actions: Rows
    realised: Array
    segments: Segments | None = None
    blend: Blend = ALONE

    @classmethod
    def of(
        cls,
        tier: CascadeTier,
        policy: Policy,
        truth: NDArray[np.int64],
        segments: Segments | None = None,
        *,
        blend: Blend = ALONE,
    ) -> TierRows:
        """Let a tier decide on them.

        Raises:
            EconomicsError: PF611 where its probabilities, PF614 where the truth does not fit.
        """
        shifted = policy.shifted(tier.probabilities)
        believed = policy.tables.expected(shifted, segments)
        scores = believed
        if policy.penalties is not None:
            scores = believed - shifted @ policy.penalties
        actions = policy.best(scores).astype(np.int64)
        worths = policy.realised(truth, actions, segments)
        return cls(tier, policy, shifted, believed, actions, worths, segments, blend)

    @property
    def cost(self) -> float:
        """What asking it costs, money per request."""
        return float(self.tier.cost)

    @property
    def probabilities(self) -> Array:
        """As it says them, ``(n, k)``."""
        return self.tier.probabilities

    @cached_property
    def known(self) -> Knowledge:
        """What it knows of each."""
        return Knowledge.of_shifted(self.policy, self.shifted, self.believed, self.segments)

    @cached_property
    def by_regret(self) -> NDArray[np.intp]:
        """The requests by rising regret, those of the same regret in their order."""
        return np.argsort(self.known.features[:, 0], kind="stable")


@dataclass(frozen=True, eq=False)
class CascadeProblem:
    """Held-out requests and the tiers that may be asked about them, in that order.

    Args:
        policy: What is worth what.
        tiers: What each tier does with each request: alone as offered, and joined with those
            before it once they are chosen (`choose`).
        truth: Classes, ``(n,)``.
        row_weights: Weight of each request, of mean 1, ``(n,)``.
        blends: How tiers are joined.
        price_factor: How many times dearer than they are models are taken to be when it is
            learnt when to go on; `EVERYBODY` asks all of them about every request.
    """

    policy: Policy
    tiers: tuple[TierRows, ...]
    truth: NDArray[np.int64]
    row_weights: Array
    blends: Blends
    price_factor: float = 1.0
    _worths: dict[Choice, Array] = field(default_factory=dict, repr=False)
    _joined: dict[Choice, TierRows] = field(default_factory=dict, repr=False)
    _chosen: dict[Choice, CascadeProblem] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        tiers: Sequence[CascadeTier],
        policy: Policy,
        truth: NDArray[np.int64],
        row_weights: Array | None = None,
        segments: Segments | None = None,
        *,
        blends: Blends | None = None,
    ) -> CascadeProblem:
        """The problem of some tiers; segments and blends as in `Cascade.fit`.

        Raises:
            EconomicsError: PF614 where there is no tier, there are too few requests, or truth or
                weights do not fit; PF611 where probabilities do not.

        Example:
            >>> from payoff.economics.cascades.cascade import CascadeTier
            >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
            >>> truth = np.tile([0, 1], 5)
            >>> problem = CascadeProblem.of([CascadeTier("all", np.eye(2)[truth], 0.1)], policy,
            ...                             truth)
            >>> problem.worth(0, 0).mean()
            np.float64(3.0)
        """
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
        rows = tuple(TierRows.of(tier, policy, truth, segments) for tier in tiers)
        weights = weights / weights.mean()
        blends = Blends(truth, policy.prior_shift, weights) if blends is None else blends
        return cls(policy, rows, truth, weights, blends)

    def choose(self, places: Sequence[int], price_factor: float = 1.0) -> CascadeProblem:
        """The same with some of the offered tiers alone, asked in that order.

        Args:
            places: Of the tiers.
            price_factor: How many times dearer than they are they are then taken to be.
        """
        choice = tuple(places)
        if choice not in self._chosen:
            chain = tuple(self.joined(choice[: end + 1]) for end in range(len(choice)))
            self._chosen[choice] = CascadeProblem(
                self.policy, chain, self.truth, self.row_weights, self.blends
            )
        return replace(self._chosen[choice], price_factor=price_factor)

    def joined(self, places: Choice) -> TierRows:
        """The last of some offered tiers, joined with those asked before it."""
        last = self.tiers[places[-1]]
        if len(places) == 1:
            return last
        if places not in self._joined:
            blend, said = self.blends.of([self.tiers[place].tier for place in places])
            tier = replace(last.tier, probabilities=said)
            self._joined[places] = TierRows.of(
                tier, self.policy, self.truth, last.segments, blend=blend
            )
        return self._joined[places]

    def worth(self, place: int, last: int) -> Array:
        """Worth of stopping at a tier, ``(n,)``: half by truth, half as the last tier believes."""
        if (place, last) not in self._worths:
            tier, believed = self.tiers[place], self.tiers[last].believed
            said = np.take_along_axis(believed, tier.actions[:, None], axis=1)[:, 0]
            self._worths[place, last] = _TRUE * tier.realised + (1.0 - _TRUE) * said
        return self._worths[place, last]

    def solved(self, rows: Rows, seed: int) -> CascadePolicy:
        """When to go on, learnt backwards from some of the requests.

        Args:
            rows: Which requests.
            seed: Of the folds within them.

        Raises:
            EconomicsError: PF604 for a cost below 0.
        """
        names = tuple(tier.tier.name for tier in self.tiers)
        costs = tuple(tier.cost for tier in self.tiers)
        gains: list[Gain] = []
        last = len(costs) - 1
        blends = tuple(tier.blend for tier in self.tiers[1:])
        if self.price_factor == EVERYBODY:
            always = Gain.always(len(self.policy.labels), self.policy.tables.spread)
            return CascadePolicy(names, costs, (always,) * last, blends)
        after = self.worth(last, last)[rows]  # what is still to come, once a tier was paid
        parts = folds(len(rows), seed) if len(costs) > 1 else ()
        for tier in range(last - 1, -1, -1):
            stopped = self.worth(tier, last)[rows]
            gone = after - self.price_factor * costs[tier + 1]
            gain, expected = self._fitted(tier, rows, gone - stopped, parts)
            after = np.where(expected > 0, gone, stopped)
            gains.append(gain)
        return CascadePolicy(names, costs, tuple(reversed(gains)), blends)

    def stops(self, cascade: CascadePolicy, rows: Rows) -> Stops:
        """Where a cascade of these tiers stops with some of the requests, and what that cost."""
        tiers, costs = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
        left = np.arange(len(rows))
        for tier, asked in enumerate(self.tiers):
            tiers[left] = tier
            costs[left] += asked.cost
            if tier < len(cascade.gains):
                known = asked.known.take(rows[left])
                left = left[cascade.gains[tier].of(known) > 0]
        return tiers, costs

    def answered(self, rows: Rows, stops: Stops) -> Answered:
        """What the tiers where it stops say of the requests."""
        tiers, costs = stops
        said = np.empty((len(rows), len(self.policy.labels)))
        for tier, asked in enumerate(self.tiers):
            mine = tiers == tier
            said[mine] = asked.probabilities[rows[mine]]
        return Answered(said, tiers, costs)

    def cross_fitted(self, rows: Rows, seed: int) -> Answered:
        """What is done with some of the requests by policies that each did not know the request."""

        def answer(others: Rows, inside: Rows, own: int) -> Answered:
            return self.answered(inside, self.stops(self.solved(others, own), inside))

        if len(self.tiers) == 1:
            return answer(rows, rows, seed)
        return outside(rows, seed, answer)

    def _fitted(
        self, tier: int, rows: Rows, gained: Array, parts: Sequence[Rows]
    ) -> tuple[Gain, Array]:
        """The gain of the best form, and what it expects of each request that it did not know."""
        known, weights = self.tiers[tier].known.take(rows), self.row_weights[rows]
        n_labels = len(self.policy.labels)
        told, regret = np.empty((len(FORMS), len(rows))), known.features[:, 0]
        order = np.argsort(regret, kind="stable")
        for inside in parts:
            learn = np.ones(len(rows), dtype=np.bool_)
            learn[inside] = False
            rising = RisingGroups.of(regret, weights, order[learn[order]])
            told[0, inside] = np.interp(regret[inside], *rising.fitted(gained))
            learnt, asked = known.take(learn), known.take(inside)
            some, w = gained[learn], weights[learn]
            for one, form in zip(told[1:], FORMS[1:], strict=True):
                one[inside] = fit_gain(form, learnt, some, n_labels, row_weights=w).of(asked)
        errors = weights * (told - gained) ** 2
        best = 0
        for place in range(1, len(FORMS)):
            if _clearly_above(errors[best], errors[place]):
                best = place
        return fit_gain(FORMS[best], known, gained, n_labels, row_weights=weights), told[best]


def outside(rows: Rows, seed: int, answer: Callable[[Rows, Rows, int], Answered]) -> Answered:
    """Requests answered fold by fold, each by what was learnt from the others.

    Args:
        rows: Which requests.
        seed: Decides who is in which fold.
        answer: From the requests to learn from, those to answer and a seed, to the answers.

    Example:
        >>> def counted(others, inside, seed):  # whoever answers knows eight of the ten
        ...     return Answered(np.ones((2, 1)), np.full(2, len(others)), np.zeros(2))
        >>> outside(np.arange(10), 0, counted).tiers
        array([8, 8, 8, 8, 8, 8, 8, 8, 8, 8])
    """
    parts = folds(len(rows), seed)
    answers = [
        answer(np.delete(rows, inside), rows[inside], seed + number + 1)
        for number, inside in enumerate(parts)
    ]
    return Answered.joined(answers).take(np.argsort(np.concatenate(parts)))


def _clearly_above(high: Array, low: Array) -> bool:
    """Whether the mean of paired differences is above 0 by more than chance."""
    difference = high - low
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) > _CLEAR * error
