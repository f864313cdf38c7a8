"""Label crossing: from how many labels on one way to train earns more than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from payoff.economics.labels.label_curve import LabelCurve

_STEPS: Final = 200
_SURE: Final = 0.9


@dataclass(frozen=True, slots=True)
class LabelCrossing:
    """Where the dearer way to train overtakes the cheap one.

    Args:
        labels: From how many labels on; None where it cannot be told.
        low: 5 % of the pairs of curves cross before; None likewise.
        high: 95 % of them do; None likewise.
        doubt: Why it cannot be told; empty where it can.

    Example:
        >>> one = np.ones(1)
        >>> cheap = LabelCurve(np.array([10, 160]), one, one, 1 * one, 2 * one, one)
        >>> dear = LabelCurve(np.array([10, 160]), one, one, 2 * one, 42 * one, one)
        >>> LabelCrossing.of(cheap, dear).labels  # 1 − 2/n = 2 − 42/n at n = 40
        40
    """

    labels: int | None
    low: int | None = None
    high: int | None = None
    doubt: str = ""

    @classmethod
    def of(cls, cheap: LabelCurve, dear: LabelCurve) -> LabelCrossing:
        """Compare two curves that were fitted together (`fit_together`).

        It is told where at least nine in ten of the pairs cross once, upwards, between the smallest
        size that was measured and the largest at which both may be read.
        """
        for curve in (cheap, dear):
            if curve.doubt:
                return cls(None, doubt=curve.doubt)
        first = float(min(cheap.sizes[0], dear.sizes[0]))
        sizes = np.geomspace(first, min(cheap.furthest, dear.furthest), _STEPS)
        ahead = np.stack([dear.at(n) - cheap.at(n) for n in sizes])
        above = ahead > 0
        once = ~above[0] & above[-1] & (np.diff(above.astype(int), axis=0) >= 0).all(axis=0)
        if once.mean() >= _SURE:
            place = above[:, once].argmax(axis=0)
            columns = np.flatnonzero(once)
            before, after = ahead[place - 1, columns], ahead[place, columns]
            share = before / (before - after)
            found = sizes[place - 1] + share * (sizes[place] - sizes[place - 1])
            low, middle, high = np.quantile(found, (0.05, 0.5, 0.95)).round().astype(int).tolist()
            return cls(middle, low, high)
        always = float(above.all(axis=0).mean())
        never = float((~above).all(axis=0).mean())
        span = f"from {sizes[0]:.0f} to {sizes[-1]:.0f} labels"
        if always >= _SURE:
            return cls(None, doubt=f"the dearer earns more all the way {span}")
        if never >= _SURE:
            return cls(None, doubt=f"the dearer earns less all the way {span}")
        return cls(None, doubt=f"{span} the rows do not tell the two apart well enough")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"labels": self.labels, "low": self.low, "high": self.high, "doubt": self.doubt}
