"""The number of clusters, chosen by how well they come again under resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from payoff.core.errors import DataError
from payoff.core.progress import Progress, Silent
from payoff.data.segments.clusters import Floats, adjusted_rand, k_means, nearest

STABLE: Final = 0.75
"""Mean adjusted Rand index from which clusters count as coming again: a convention, as 0.75 is of
Hennig 2007, "Cluster-wise assessment of cluster stability", for the Jaccard index."""
LEAST_ROWS: Final = 50
"""Rows below which no clusters are looked for."""
CANDIDATES: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20)
_N_SAMPLES: Final = 6
_MOST_ROWS: Final = 4000


@dataclass(frozen=True, slots=True)
class Stability:
    """How far clusterings of resampled rows agree.

    Args:
        k: Number of clusters.
        agreement: Mean adjusted Rand index over pairs of resamples.
        low: The smallest of them.
    """

    k: int
    agreement: float
    low: float

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return {"k": self.k, "agreement": self.agreement, "low": self.low}


def stabilities(
    vectors: Floats,
    candidates: Sequence[int] = CANDIDATES,
    *,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Stability, ...]:
    """Stability of each number of clusters that leaves at least 10 rows for one.

    Six halves of the rows are clustered apart; each clustering puts all rows to its nearest
    centres, and every two of these groupings are compared by the adjusted Rand index (Ben-Hur,
    Elisseeff and Guyon 2002; von Luxburg 2010, "Clustering stability: an overview").

    Args:
        vectors: Shape ``(n, width)``; a sample of 4,000 is looked at where there are more.
        candidates: Numbers of clusters.
        seed: Of the samples and the clusters.
        progress: Who listens.

    Raises:
        DataError: PF106 where there are fewer than 50 rows.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> three = np.repeat(np.eye(3) * 9, 40, axis=0) + rng.normal(size=(120, 3))
        >>> [found.k for found in stabilities(three.astype(np.float32), (2, 3, 4), seed=0)
        ...  if found.agreement > 0.95]
        [3]
    """
    if len(vectors) < LEAST_ROWS:
        raise DataError(
            "PF106",
            "clusters",
            f"{len(vectors)} rows are too few to find segments among them",
            expected=f"at least {LEAST_ROWS}",
            mend="Add rows, name a column of segments, or say how many clusters there are.",
        )
    listener = progress or Silent()
    rng = np.random.default_rng(seed)
    if len(vectors) > _MOST_ROWS:
        vectors = vectors[np.sort(rng.choice(len(vectors), _MOST_ROWS, replace=False))]
    halves = [rng.permutation(len(vectors))[: len(vectors) // 2] for _ in range(_N_SAMPLES)]
    tried = [k for k in candidates if 2 <= k <= len(vectors) // 10]
    found = []
    for done, k in enumerate(tried):
        listener.step("looking for stable clusters", done, len(tried))
        groupings = [
            nearest(vectors, k_means(vectors[half], k, seed=seed + i, repeat=3).centres)[0]
            for i, half in enumerate(halves)
        ]
        agreed = [adjusted_rand(one, other) for one, other in combinations(groupings, 2)]
        found.append(Stability(k, float(np.mean(agreed)), min(agreed)))
    listener.step("looking for stable clusters", len(tried), len(tried))
    return tuple(found)


def most_stable(found: Sequence[Stability]) -> Stability:
    """The finest clusters that are stable; the most stable ones where none are.

    Coarse clusters are nearly always stable, so the finest that still are tell most, as by the
    rule of prediction strength (Tibshirani and Walther 2005). Splitting one of several true
    clusters lowers the agreement a little only; so a number must also be a local maximum: neither
    the next smaller nor the next larger number that was tried agrees better.

    Args:
        found: In the order of their numbers.

    Example:
        >>> tried = [Stability(2, 0.9, 0.9), Stability(4, 0.6, 0.5), Stability(5, 1.0, 0.9),
        ...          Stability(6, 0.9, 0.8), Stability(9, 0.4, 0.3)]
        >>> most_stable(tried).k
        5
    """
    agreed = [-1.0, *(one.agreement for one in found), -1.0]
    peaks = [
        one
        for i, one in enumerate(found, 1)
        if one.agreement >= max(STABLE, agreed[i - 1], agreed[i + 1])
    ]
    return peaks[-1] if peaks else max(found, key=lambda one: one.agreement)
