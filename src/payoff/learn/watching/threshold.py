"""Threshold: worth without labels that still holds where texts have become stranger."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from payoff.learn.watching.window import Floats, Window


@dataclass(frozen=True, slots=True)
class Threshold:
    """How sure a model must be for its action to be counted as right.

    Probabilities that are calibrated on the texts of before are too bold on stranger ones, so that
    their mean tells too small a loss. Counting an action as right above a threshold and as wrong
    below it, with the threshold set so that the count comes out right on the texts of before,
    reacts more strongly and errs less (Garg et al. 2022, "Leveraging unlabeled data to predict
    out-of-distribution performance", ICLR: average thresholded confidence, with negative entropy
    as the score; here right and wrong count as their money).

    Args:
        sureness: Negative entropy in nats, above which an action counts as right.
        offset: Money a request that is added, so that the count comes out exactly.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.5, 0.5]])
        >>> before = Window(probabilities=p, actions=np.array([0, 0, 0, 2]), tables=tables,
        ...                 truth=np.array([0, 0, 1, 1]))
        >>> threshold = Threshold.of(before, before.realised.mean())
        >>> threshold.worth(before).round(9).tolist()  # right, wrong, or a handover
        [3.0, 3.0, -7.0, -1.0]
    """

    sureness: float
    offset: float

    @classmethod
    def of(cls, window: Window, worth: float) -> Threshold:
        """The threshold whose count comes to a known worth.

        Args:
            window: Requests of before.
            worth: What they are worth, money a request, before costs.
        """
        if not len(window):
            return cls(0.0, 0.0)
        right, wrong = _ends(window)
        order = np.argsort(-window.sureness, kind="stable")
        gains = np.cumsum((right - wrong)[order])
        totals = wrong.sum() + np.concatenate([[0.0], gains])
        n_right = int(np.abs(totals - worth * len(window)).argmin())
        offset = worth - totals[n_right] / len(window)
        sorted_by = window.sureness[order]
        if n_right == 0:
            return cls(float(sorted_by[0]) + 1e-9, float(offset))
        last = sorted_by[n_right - 1]
        following = sorted_by[n_right] if n_right < len(order) else last - 1e-9
        return cls(float((last + following) / 2), float(offset))

    def worth(self, window: Window) -> Floats:
        """What each request counts as, ``(n,)``, money before costs."""
        right, wrong = _ends(window)
        counted: Floats = np.where(window.sureness > self.sureness, right, wrong) + self.offset
        return counted

    def to_dict(self) -> dict[str, Any]:
        """The same numbers as plain values."""
        return asdict(self)


def _ends(window: Window) -> tuple[Floats, Floats]:
    """Worth of each request where its action is right, and where it is wrong, ``(n,)`` each.

    A request that is handed over is worth what is expected, either way.
    """
    k = window.n_labels
    acted = window.actions < k
    own = np.where(acted, window.actions, 0)
    rows = np.arange(len(window))
    p_own = window.probabilities[rows, own]
    right = window.outcomes[rows, own]
    others = window.expected - p_own * right
    wrong = others / np.maximum(1 - p_own, 1e-9)
    certain = 1 - p_own < 1e-9
    wrong = np.where(certain, window.outcomes.min(axis=1), wrong)
    return np.where(acted, right, window.expected), np.where(acted, wrong, window.expected)
