"""Cascade trials: what many choices of tiers are worth on the same requests, quickly compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascade_problem import CascadeProblem, Rows, folds
from payoff.economics.rising import RisingGroups

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
        >>> from payoff.economics.cascade import CascadeTier
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
    _worths: dict[tuple[int, int], Array] = field(default_factory=dict, init=False, repr=False)
    _groups: dict[tuple[int, int], RisingGroups] = field(
        default_factory=dict, init=False, repr=False
    )

    def value(self, choice: Sequence[int], price_factor: float = 1.0) -> float:
        """Cross-fitted worth less what asking costs; none where a tier answers nobody.

        Args:
            choice: Places of the tiers, rising.
            price_factor: How many times dearer than they are to take them to be in learning.
        """
        tiers = [self.problem.tiers[place] for place in choice]
        reached = np.zeros(len(self.problem.row_weights), dtype=np.int64)
        if len(tiers) > 1:
            for fold, inside in enumerate(self._inside):
                reached[inside] = self._reached(choice, fold, inside, price_factor)
        reached = reached[self.rows]
        if not np.bincount(reached, minlength=len(tiers)).all():
            return -np.inf
        costs = np.cumsum([tier.cost for tier in tiers])
        nets = np.stack([tier.realised[self.rows] for tier in tiers], axis=1) - costs
        weights = self.problem.row_weights[self.rows]
        return float(nets[np.arange(len(nets)), reached] @ weights / weights.sum())

    @cached_property
    def _inside(self) -> list[Rows]:
        """The requests of each fold."""
        return [self.rows[part] for part in folds(len(self.rows), self.seed)]

    def _reached(self, choice: Sequence[int], fold: int, inside: Rows, price_factor: float) -> Rows:
        """The tier, by its place in the choice, that answers each request of a fold."""
        last = choice[-1]
        after, reached = self._worth(last, last), np.zeros(len(inside), dtype=np.int64)
        for place, following in zip(choice[-2::-1], choice[:0:-1], strict=True):
            stopped = self._worth(place, last)
            gone = after - price_factor * self.problem.tiers[following].cost
            regret = self.problem.tiers[place].known.features[:, 0]
            gain = self._learners(place, fold).fitted(gone - stopped)
            reached = np.where(np.interp(regret[inside], *gain) > 0, reached + 1, 0)
            if place != choice[0]:  # a tier before it learns from what comes after
                after = np.where(np.interp(regret, *gain) > 0, gone, stopped)
        return reached

    def _worth(self, place: int, last: int) -> Array:
        """Worth of stopping at a tier, as `TierRows.worth_to`."""
        if (place, last) not in self._worths:
            tiers = self.problem.tiers
            self._worths[place, last] = tiers[place].worth_to(tiers[last])
        return self._worths[place, last]

    def _learners(self, place: int, fold: int) -> RisingGroups:
        """The requests outside a fold, by what a tier knows."""
        if (place, fold) not in self._groups:
            tier, learn = self.problem.tiers[place], np.zeros(len(self.problem.row_weights), bool)
            learn[self.rows] = True
            learn[self._inside[fold]] = False
            order = tier.by_regret
            self._groups[place, fold] = RisingGroups.of(
                tier.known.features[:, 0], self.problem.row_weights, order[learn[order]]
            )
        return self._groups[place, fold]
