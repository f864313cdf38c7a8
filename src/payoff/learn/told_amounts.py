"""What an outcome is worth that feedback tells of, whoever adds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from payoff.economics.policy import Policy


def told_amounts(policy: Policy) -> NDArray[np.float64]:
    """The payoff's tables with one more row: another label than the action's, it is not told which.

    That row is the mean over all other labels. It is for feedback that only says that an action was
    wrong, and for labels that the payoff lacks.

    Args:
        policy: What every action is worth.

    Returns:
        ``(n_tables, k + 1, k + 1)``: tables in general and of each segment, in the order of
        `Policy.tables`; truths; actions, handing over last.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-5.0, 3.0, -1.0]]))
        >>> told_amounts(policy)[0, 2].tolist()
        [-5.0, -7.0, -1.0]
    """
    tables = policy.tables.stacked
    k = tables.shape[1]
    others = np.broadcast_to(np.eye(k, k + 1) == 0, tables.shape)
    counted = np.maximum(others.sum(axis=1, keepdims=True), 1)
    mean = np.where(others, tables, 0.0).sum(axis=1, keepdims=True) / counted
    return np.concatenate([tables, mean], axis=1)
