"""Score: what held-out rows say of one candidate, and when they tell two candidates apart.

Realised worth is what a plan is chosen by, but it moves in steps as large as an error is dear, so
that a thousand rows seldom tell two good candidates apart. Log loss uses how sure each answer was
and needs far fewer rows. So worth decides where it can, and log loss among those that worth cannot
tell apart. Both are compared row by row, since all candidates are judged on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CLEAR = 2.0  # standard errors of a paired difference


@dataclass(frozen=True, eq=False, slots=True)
class Score:
    """One candidate on the held-out rows, by a calibration that knew none of them.

    Args:
        worths: Realised worth of each row's decision, in the payoff's currency, ``(n,)``.
        losses: Log loss of each row in nats, ``(n,)``.

    Example:
        >>> ahead = Score(np.array([3.0, 3.0, -6.0]), np.array([0.1, 0.1, 2.0]))
        >>> ahead.value, round(ahead.loss, 2)
        (0.0, 0.73)
    """

    worths: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def value(self) -> float:
        """Mean worth of a request."""
        return float(self.worths.mean())

    @property
    def loss(self) -> float:
        """Mean log loss of a request, in nats."""
        return float(self.losses.mean())

    def clearly_behind(self, other: Score) -> bool:
        """Whether it is worth less than ``other`` by more than chance, or no more and less sure.

        That is: by two standard errors of the paired difference in worth; or, where worth does
        not tell the two apart and does not favour this one, by as many in log loss.
        """
        if _clearly_above(other.worths, self.worths):
            return True
        return other.value >= self.value and _clearly_above(self.losses, other.losses)


def foremost(scores: Sequence[Score]) -> int:
    """Place of the best: the lowest log loss among those that worth cannot tell from the highest.

    Example:
        >>> rows = np.array([3.0, -6.0, 3.0, 3.0])
        >>> foremost([Score(rows, np.full(4, 0.4)), Score(rows[::-1], np.full(4, 0.3))])
        1
    """
    highest = max(scores, key=lambda score: score.value)
    level = [n for n, s in enumerate(scores) if not _clearly_above(highest.worths, s.worths)]
    return min(level, key=lambda n: (scores[n].loss, -scores[n].value))


def _clearly_above(high: NDArray[np.float64], low: NDArray[np.float64]) -> bool:
    difference = high - low
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) > _CLEAR * error
