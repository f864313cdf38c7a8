"""Cascade: tiers from cheap to dear, and when to go on, learnt from held-out requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.cascades.cascade_problem import CascadeProblem
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

Array = NDArray[np.float64]


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
        judged: The same requests, each decided by a policy of these tiers learnt from the others.
        valued: The same requests, each decided by a policy whose tiers, too, were chosen without
            it; the same as ``judged`` where nothing was chosen. Its ``tiers`` are places in what
            was offered, the cheapest first. This is what a cascade is compared by.
        price_factor: How many times dearer than they are models were taken to be when it was
            learnt when to go on; 0 where all are asked about every request.
    """

    policy: CascadePolicy
    judged: CascadeOutcome
    valued: CascadeOutcome
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
        segments: Segments | None = None,
        blends: Blends | None = None,
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
            segments: Segment of each request, ``(n,)``; None where none is known.
            blends: How tiers are joined with those before them, where that was learnt already;
                None learns it.
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
        problem = CascadeProblem.of(tiers, policy, truth, row_weights, segments, blends=blends)
        problem = problem.choose(range(len(tiers)), price_factor)
        everyone = np.arange(len(truth))
        judged = CascadeOutcome.of(
            policy,
            problem.cross_fitted(everyone, seed),
            truth,
            row_weights=problem.row_weights,
            segments=segments,
        )
        return cls(problem.solved(everyone, seed), judged, judged, price_factor)
