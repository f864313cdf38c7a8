"""Outcome: what the actions taken turn out to be worth once the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.payoff import Payoff
from payoff.economics.value_tables import Segments, ValueTables, check_indices


def realised(
    values: NDArray[np.float64],
    truth: NDArray[np.integer[Any]],
    actions: NDArray[np.integer[Any]],
) -> NDArray[np.float64]:
    """Worth of each action under the true label: ``values[truth, action]``.

    Args:
        values: Money per request, shape ``(k, k+1)``, handoff last.
        truth: Indices of the true labels, shape ``(n,)``.
        actions: Indices of the actions, shape ``(n,)``; ``k`` is handing over.

    Returns:
        Money per request, shape ``(n,)``.

    Raises:
        EconomicsError: PF614 where shapes differ or an index is out of range.

    Example:
        >>> realised(np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]), np.array([0, 1, 1]),
        ...          np.array([0, 0, 2]))
        array([ 3., -7., -4.])
    """
    return ValueTables(values).realised(truth, actions)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a forecast needs to know of each test row, before wages.

    Args:
        gross_values: Money per request before the person's wage, shape ``(n,)``.
        handed_over: Which requests go to a person, shape ``(n,)``, bool.
        right_values: The part of ``gross_values`` that right answers earn, shape ``(n,)``.

    Example:
        >>> worth = Payoff(correct=3, wrong=-7, handoff=-4, currency="USD")
        >>> done = Outcome.of_actions(worth, ("a", "b"), np.array([0, 1]), np.array([1, 1]))
        >>> done.gross_values, done.right_values
        (array([-7.,  3.]), array([0., 3.]))
    """

    gross_values: NDArray[np.float64]
    handed_over: NDArray[np.bool_]
    right_values: NDArray[np.float64]

    @classmethod
    def of_actions(
        cls,
        payoff: Payoff,
        labels: Sequence[str],
        truth: NDArray[np.integer[Any]],
        actions: NDArray[np.integer[Any]],
        segments: Segments | None = None,
    ) -> Outcome:
        """The outcome of actions taken on requests with known truth.

        Args:
            payoff: Worth of every action.
            labels: The ``k`` labels.
            truth: Indices of the true labels, shape ``(n,)``.
            actions: Indices of the actions, shape ``(n,)``; ``k`` is handing over.
            segments: Segment of each request, shape ``(n,)``; None where none is known.

        Raises:
            EconomicsError: PF614 where shapes differ or an index is out of range.
        """
        gross = payoff.gross_tables(labels).realised(truth, actions, segments)
        return cls(gross, actions == len(labels), np.where(actions == truth, gross, 0.0))

    @classmethod
    def of_accuracy(
        cls,
        payoff: Payoff,
        labels: Sequence[str],
        truth: NDArray[np.integer[Any]],
        accuracy: float,
        segments: Segments | None = None,
    ) -> Outcome:
        """The expected outcome of something that never hands over and is right this often.

        Its errors fall on all other labels alike, whatever the true label; it is right as often in
        every segment.

        Raises:
            EconomicsError: PF614 where the accuracy is not between 0 and 1.
        """
        if not 0.0 <= accuracy <= 1.0:
            raise EconomicsError("PF614", "accuracy", f"it is {accuracy}", expected="0 to 1")
        k = len(labels)
        check_indices("truth", truth, k)
        tables = payoff.gross_tables(labels)
        acting = tables.stacked[:, :, :k]
        right = np.diagonal(acting, axis1=1, axis2=2)
        wrong = (acting.sum(axis=2) - right) / (k - 1) if k > 1 else right
        table = tables.codes(segments, len(truth))
        earned = accuracy * right[table, truth]
        gross = earned + (1.0 - accuracy) * wrong[table, truth]
        return cls(gross, np.zeros(len(truth), dtype=np.bool_), earned)
