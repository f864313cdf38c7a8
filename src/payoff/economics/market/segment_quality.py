"""Segment quality: what a decision is worth inside each segment, and what that comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.decided import Decided
from payoff.economics.market.segment_terms import SegmentTerms
from payoff.economics.market.shrinkage import Shrinkage, drawn_means, segment_means
from payoff.economics.worlds import Worlds

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class SegmentQuality:
    """Worth of a decision in each segment, and the quality behind it. Make it with `of`.

    Args:
        worth: Net of people's time and of what asking models costs, shape ``(k,)``.
        drawn: The same in each world, shape ``(k, n_worlds)``.
        serve: People's time and asking models, a request, shape ``(k,)``.
        prior_rows: Rows like the others' that each segment's own are diluted with; None where
            quality was not measured.
        parts: Shares and mean worths by name; None where quality was not measured.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> codes = np.array([0, 0, 1, 1])
        >>> worlds = Worlds.draw(codes, 2, Traffic(100), n_worlds=3, seed=0)
        >>> stated = [SegmentTerms("shops", value_each=2.0), SegmentTerms("clinics", value_each=3)]
        >>> SegmentQuality.of(codes, stated, worlds).worth.tolist()
        [2.0, 3.0]
    """

    worth: Array
    drawn: Array
    serve: Array
    prior_rows: float | None = None
    parts: Mapping[str, Array] | None = None

    @classmethod
    def of(
        cls,
        codes: NDArray[np.int64],
        terms: Sequence[SegmentTerms],
        worlds: Worlds,
        *,
        decided: Decided | None = None,
        person_each: float = 0.0,
        weights: Array | None = None,
    ) -> SegmentQuality:
        """From what a service did on the rows, shrunk; or as it is stated.

        Args:
            codes: Segment of each row, an index into ``terms``, shape ``(n,)``.
            terms: What is stated of each segment.
            worlds: Drawn with ``truth=codes``.
            decided: What the service did on the rows; None where that was not measured.
            person_each: What a person's time for one request costs.
            weights: How much each row counts, shape ``(n,)``; None counts all alike.
        """
        k = len(terms)
        if decided is None:
            worth = np.array([one.value_each for one in terms], dtype=np.float64)
            return cls(worth, np.tile(worth[:, None], (1, worlds.n_worlds)), np.zeros(k))

        def mean(rows: NDArray[Any]) -> Array:
            return shrinkage.mean(segment_means(rows, codes, k, weights))

        values, right, handed = decided.values, decided.right, decided.handed_over
        shrinkage = Shrinkage.between(values, codes, k, weights)
        handed_share = mean(handed)
        automated = 1.0 - handed_share
        right_share = mean(right)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = {
                "own": shrinkage.own,
                "automated": automated,
                "accuracy": right_share / automated,
                "when_right": mean(values * right) / right_share,
                "when_wrong": mean(values * ~(right | handed)) / mean(~(right | handed)),
                "from_handed": mean(values * handed),
            }
        people = handed_share * person_each
        asked = np.zeros(k) if decided.asked is None else mean(decided.asked)
        drawn = shrinkage.draws(drawn_means(values, codes, worlds, weights), seed=worlds.seed)
        drawn = drawn - people[:, None] * (worlds.minutes_factor - 1.0)
        drawn = drawn - asked[:, None] * (worlds.price_factor - 1.0)
        return cls(mean(values), drawn, people + asked, shrinkage.prior_rows, parts)

    def of_segment(self, part: str, s: int) -> float | None:
        """One figure of one segment; None where it was not measured or has nothing to go by."""
        value = float(self.parts[part][s]) if self.parts is not None else np.nan
        return finite(value)

    def accuracy_for(self, s: int, worth: float) -> float | None:
        """Accuracy of what is acted on at which a decision is worth this, handoffs as they are."""
        figures = [
            self.of_segment(part, s)
            for part in ("automated", "when_right", "when_wrong", "from_handed")
        ]
        if any(figure is None for figure in figures):
            return None
        automated, right, wrong, handed = (float(figure or 0.0) for figure in figures)
        if automated <= 0 or right <= wrong:
            return None
        needed = ((worth - handed) / automated - wrong) / (right - wrong)
        return max(needed, 0.0) if needed <= 1 else None


def finite(value: float) -> float | None:
    """The value, or None where it is not finite.

    Example:
        >>> finite(2.0), finite(math.inf)
        (2.0, None)
    """
    return value if math.isfinite(value) else None
