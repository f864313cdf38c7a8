"""Cascade outcome: what a cascade did with requests of known truth, and what that was worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CascadeOutcome:
    """Row by row: who answered, what was done, what it was worth and what asking cost.

    Args:
        probabilities: Those of the tier that answered, ``(n, k)``.
        tiers: The tier that answered, ``(n,)``.
        actions: What was done, ``(n,)``, as in `Actions`.
        worths: What that was worth under the true label, money, ``(n,)``.
        costs: What all tiers that were asked cost, money, ``(n,)``.
        row_weights: How much each row counts, of mean 1, ``(n,)``.

    Example:
        >>> done = Answered(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0, 1]),
        ...                 np.array([0.1, 0.6]))
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> outcome = CascadeOutcome.of(policy, done, np.array([0, 0]))
        >>> outcome.nets, round(outcome.value, 4), outcome.shares(2)
        (array([ 2.9, -7.6]), -2.35, (0.5, 0.5))
    """

    probabilities: Array
    tiers: NDArray[np.int64]
    actions: NDArray[np.int64]
    worths: Array
    costs: Array
    row_weights: Array

    @classmethod
    def of(
        cls,
        policy: Policy,
        answered: Answered,
        truth: NDArray[np.int64],
        *,
        row_weights: Array | None = None,
        segments: Segments | None = None,
    ) -> CascadeOutcome:
        """What the answers turn out to be worth.

        Raises:
            EconomicsError: PF614 where the truth does not fit.
        """
        actions = policy.decide(answered.probabilities, segments).actions
        worths = policy.realised(truth, actions, segments)
        weights = np.ones(len(worths)) if row_weights is None else row_weights
        said = answered.probabilities
        return cls(said, answered.tiers, actions, worths, answered.costs, weights)

    @property
    def nets(self) -> Array:
        """Worth less what asking cost, ``(n,)``."""
        return self.worths - self.costs

    @property
    def value(self) -> float:
        """Mean of `nets`."""
        return self._mean(self.nets)

    @property
    def worth(self) -> float:
        """Mean worth of a request, before what asking cost."""
        return self._mean(self.worths)

    @property
    def cost(self) -> float:
        """Mean cost of asking."""
        return self._mean(self.costs)

    def shares(self, n_tiers: int) -> tuple[float, ...]:
        """Share of the requests that each tier answers."""
        counts = np.bincount(self.tiers, weights=self.row_weights, minlength=n_tiers)
        return tuple((counts / counts.sum()).tolist())

    def _mean(self, amounts: Array) -> float:
        return float(np.average(amounts, weights=self.row_weights))
