"""Actions: what was done with each request, and what it was expected to be worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HANDOFF = "handoff"
"""Name of the action that gives the request to a person; its index is the number of labels."""


@dataclass(frozen=True, eq=False)
class Actions:
    """One action per request.

    Args:
        actions: Indices, shape ``(n,)``, int64. ``0 … k-1`` act as that label; ``k`` hands over.
        values: Expected worth of each action, shape ``(n,)``, float64, money per request.

    Example:
        >>> done = Actions(np.array([0, 2]), np.array([3.0, -1.0]))
        >>> done.names(("billing", "refund"))
        ['billing', 'handoff']
    """

    actions: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.actions)

    def names(self, labels: tuple[str, ...]) -> list[str]:
        """The action of each request in words.

        Example:
            >>> Actions(np.array([1]), np.array([0.0])).names(("a", "b"))
            ['b']
        """
        named = (*labels, HANDOFF)
        return [named[index] for index in self.actions]
