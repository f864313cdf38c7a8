"""Decided: what a service did on rows whose truth is known, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments


@dataclass(frozen=True, eq=False, slots=True)
class Decided:
    """Worth and kind of each decision, net of wages and of what asking models cost.

    Args:
        values: Money per request, shape ``(n,)``.
        right: Acted on by itself, and rightly, shape ``(n,)``, bool.
        handed_over: Given to a person, shape ``(n,)``, bool.
        asked: What asking models about each cost, taken off ``values`` already, shape ``(n,)``;
            None where that is a cost of the month.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> done = Decided.of(policy, np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 0]))
        >>> done.values.tolist(), done.right.tolist(), done.handed_over.tolist()
        ([-7.0, -1.0], [False, False], [False, True])
    """

    values: NDArray[np.float64]
    right: NDArray[np.bool_]
    handed_over: NDArray[np.bool_]
    asked: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        policy: Policy,
        probabilities: NDArray[np.floating[Any]],
        truth: NDArray[np.integer[Any]],
        asked: NDArray[np.float64] | None = None,
        segments: Segments | None = None,
    ) -> Decided:
        """Let a policy decide and look at the truth.

        Args:
            policy: What is worth what.
            probabilities: Calibrated, ``(n, k)``.
            truth: Classes of the rows, ``(n,)``.
            asked: What asking models about each row cost, ``(n,)``.
            segments: Segment of each row, ``(n,)``; None where none is known.

        Raises:
            EconomicsError: PF611 or PF614 where probabilities or truth do not fit.
        """
        actions = policy.decide(probabilities, segments).actions
        values = policy.realised(truth, actions, segments)
        if asked is not None:
            values = values - asked
        return cls(values, actions == truth, actions == len(policy.labels), asked)
