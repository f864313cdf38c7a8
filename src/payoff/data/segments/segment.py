"""Segment: one part of the market, and what it talks about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.data.segments.growth import Growth


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """Rows that belong together.

    Args:
        name: The column's value, or the keywords of a cluster.
        rows: Positions of its rows in the data, ascending, from 0.
        share: Its share of all rows.
        keywords: Terms that tell it from the others, the most telling first; may be empty.
        examples: Its most typical texts, each another.
        growth: Of its rows along the time column; None where it was not measured.
    """

    name: str
    rows: NDArray[np.int64]
    share: float
    keywords: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    growth: Growth | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values; the rows as their number."""
        return {
            "name": self.name,
            "n_rows": len(self.rows),
            "share": self.share,
            "keywords": list(self.keywords),
            "examples": list(self.examples),
            "growth": self.growth.as_dict() if self.growth else None,
        }
