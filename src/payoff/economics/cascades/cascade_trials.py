"""Cascade trials: what many choices of tiers are worth on the same requests, quickly compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.cascade_problem import (
    EVERYBODY,
    CascadeProblem,
    Choice,
    Rows,
    TierRows,
)
from payoff.economics.cascades.folds import folds
from payoff.economics.cascades.rising import ManyGroups, RisingGroups

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CascadeTrials:
    """Choices of tiers tried on some requests, each fold by gains learnt from the others.

    All trials have the same folds, and gains of one form, rising in the regret of the tier. So the
    requests of each fold's others are put in order once a tier, for all choices that ask it. What
    comes after a tier is decided by gains that know the request: a fifth of the work.

    Args:
        problem: All tiers that may be asked, the cheapest first.
        rows: Which requests, rising.
        seed: Decides who is in which fold.

    Example:
        >>> from payoff.economics.cascades.cascade import CascadeTier
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> truth = np.tile([0, 0, 0, 1], 10)
        >>> words = np.tile([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], (10, 1))
        >>> tiers = [CascadeTier("words", words, 0.0),
        ...          CascadeTier("encoder", np.eye(2)[truth], 0.1)]
        >>> trials = CascadeTrials(CascadeProblem.of(tiers, policy, truth), np.arange(40), 0)
        >>> round(trials.value([0, 1]), 4), round(trials.value([1]), 4)
        (2.95, 2.9)
    """

    problem: CascadeProblem
    rows: Rows
    seed: int
    _learners: dict[Choice, ManyGroups] = field(default_factory=dict, init=False, repr=False)

    def value(self, choice: Sequence[int], price_factor: float = 1.0) -> float:
        """Cross-fitted worth less what asking costs; none where the last tier answers nobody.

        Args:
            choice: Places of the tiers, rising.
            price_factor: How many times dearer than they are to take them to be in learning, or
                `EVERYBODY`.
        """
        chain = self.problem.choose(choice, price_factor)
        reached = self._reached(tuple(choice), chain)[self.rows]
        if not (reached == len(choice) - 1).any():
            return -np.inf
        costs = np.cumsum([tier.cost for tier in chain.tiers])
        nets = np.stack([tier.realised[self.rows] for tier in chain.tiers], axis=1) - costs
        weights = self.problem.row_weights[self.rows]
        return float(nets[np.arange(len(nets)), reached] @ weights / weights.sum())

    @cached_property
    def _inside(self) -> list[Rows]:
        """The requests of each fold."""
        return [self.rows[part] for part in folds(len(self.rows), self.seed)]

    def _reached(self, choice: Choice, chain: CascadeProblem) -> Rows:
        """The tier, by its place in the choice, that answers each request."""
        last = len(choice) - 1
        reached = np.zeros(len(chain.row_weights), dtype=np.int64)
        if chain.price_factor == EVERYBODY:
            return reached + last
        after = [chain.worth(last, last)]  # in each fold, once it is not the same in all
        for place in range(last - 1, -1, -1):
            stopped, tier = chain.worth(place, last), chain.tiers[place]
            gone = [worth - chain.price_factor * chain.tiers[place + 1].cost for worth in after]
            gains = self._fitted(choice[: place + 1], tier, [worth - stopped for worth in gone])
            regret, answers = tier.known.features[:, 0], reached
            reached = np.zeros_like(answers)
            for inside, gain in zip(self._inside, gains, strict=True):
                on = np.interp(regret[inside], *gain) > 0
                reached[inside] = np.where(on, answers[inside] + 1, 0)
            if place > 0:  # a tier before it learns from what comes after
                ahead = gone * (len(gains) // len(gone))
                after = [
                    np.where(np.interp(regret, *gain) > 0, worth, stopped)
                    for worth, gain in zip(ahead, gains, strict=True)
                ]
        return reached

    def _fitted(
        self, asked: Choice, tier: TierRows, gained: Sequence[Array]
    ) -> list[tuple[Array, Array]]:
        """Gains of a tier in each fold, from one list of amounts for all or one for each.

        Args:
            asked: The tiers asked up to it.
            tier: What it does, joined with those before it.
            gained: What going on is worth more.
        """
        if asked not in self._learners:
            self._learners[asked] = ManyGroups(
                tuple(map(partial(self._groups, tier), self._inside))
            )
        learners = self._learners[asked]
        if len(gained) == 1:
            return learners.fitted(gained[0])
        pairs = zip(learners.each, gained, strict=True)
        return [groups.fitted(amounts) for groups, amounts in pairs]

    def _groups(self, tier: TierRows, inside: Rows) -> RisingGroups:
        """The requests outside a fold, by what a tier knows."""
        weights = self.problem.row_weights
        learn = np.zeros(len(weights), dtype=np.bool_)
        learn[self.rows] = True
        learn[inside] = False
        rows = tier.by_regret[learn[tier.by_regret]]
        return RisingGroups.of(tier.known.features[:, 0], weights, rows)
