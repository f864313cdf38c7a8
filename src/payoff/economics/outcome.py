"""Outcome: what the actions taken turn out to be worth once the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.payoff import Payoff


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
    k = len(values)
    _check_indices("truth", truth, k)
    _check_indices("actions", actions, k + 1)
    if truth.shape != actions.shape:
        raise EconomicsError("PF614", "actions", f"{len(actions)} actions for {len(truth)} truths")
    worth: NDArray[np.float64] = values[truth, actions]
    return worth


def _check_indices(name: str, indices: NDArray[np.integer[Any]], below: int) -> None:
    whole = np.issubdtype(indices.dtype, np.integer)
    if indices.ndim != 1 or not whole or ((indices < 0) | (indices >= below)).any():
        raise EconomicsError(
            "PF614",
            name,
            f"shape {indices.shape}, type {indices.dtype}, or an index is out of range",
            expected=f"whole numbers from 0 to {below - 1}, one per request",
        )


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
    ) -> Outcome:
        """The outcome of actions taken on requests with known truth."""
        gross = realised(payoff.gross_matrix(labels), truth, actions)
        return cls(gross, actions == len(labels), np.where(actions == truth, gross, 0.0))

    @classmethod
    def of_accuracy(
        cls,
        payoff: Payoff,
        labels: Sequence[str],
        truth: NDArray[np.integer[Any]],
        accuracy: float,
    ) -> Outcome:
        """The expected outcome of something that never hands over and is right this often.

        Its errors fall on all other labels alike, whatever the true label.

        Raises:
            EconomicsError: PF614 where the accuracy is not between 0 and 1.
        """
        if not 0.0 <= accuracy <= 1.0:
            raise EconomicsError("PF614", "accuracy", f"it is {accuracy}", expected="0 to 1")
        k = len(labels)
        _check_indices("truth", truth, k)
        acting = payoff.gross_matrix(labels)[:, :k]
        right = np.diag(acting)
        wrong = (acting.sum(axis=1) - right) / (k - 1) if k > 1 else right
        earned = accuracy * right[truth]
        gross = earned + (1.0 - accuracy) * wrong[truth]
        return cls(gross, np.zeros(len(truth), dtype=np.bool_), earned)
