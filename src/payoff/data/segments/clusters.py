"""Clusters of vectors by k-means, and how far two clusterings agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ITERATIONS: Final = 50
_BLOCK_CELLS: Final = 8_000_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Clusters:
    """Centres, and the centre of each row.

    Args:
        centres: Shape ``(k, width)``.
        codes: Index of the nearest centre, shape ``(n,)``.
        spread: Sum of squared distances to the nearest centre.
    """

    centres: Floats
    codes: NDArray[np.int64]
    spread: float


def k_means(vectors: Floats, k: int, *, seed: int, repeat: int = 4) -> Clusters:
    """Lloyd's algorithm from k-means++ starts; the tightest of ``repeat`` runs.

    Clusters are numbered by size, the largest first. Source: Arthur and Vassilvitskii 2007,
    "k-means++: the advantages of careful seeding", SODA.

    Args:
        vectors: Shape ``(n, width)``.
        k: Number of clusters, 1 to ``n``.
        seed: The same seed gives the same clusters.
        repeat: Starts.

    Example:
        >>> points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1]], np.float32)
        >>> k_means(points, 2, seed=0).codes.tolist()
        [0, 0, 0, 1, 1]
    """
    rng = np.random.default_rng(seed)
    runs = [_lloyd(vectors, _start(vectors, k, rng)) for _ in range(repeat)]
    best = min(runs, key=lambda run: run.spread)
    order = np.argsort(-np.bincount(best.codes, minlength=k), kind="stable")
    return Clusters(best.centres[order], np.argsort(order)[best.codes], best.spread)


def nearest(vectors: Floats, centres: Floats) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Index of the nearest centre and the squared distance to it, each of shape ``(n,)``.

    Example:
        >>> nearest(np.array([[1.0], [9.0]], np.float32), np.array([[0.0], [10.0]], np.float32))
        (array([0, 1]), array([1., 1.], dtype=float32))
    """
    codes = np.empty(len(vectors), np.int64)
    distances = np.empty(len(vectors), np.float32)
    lengths = (centres * centres).sum(axis=1)
    step = max(1, _BLOCK_CELLS // len(centres))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        rows = vectors[part]
        squared = lengths - 2 * rows @ centres.T
        codes[part] = squared.argmin(axis=1)
        own = (rows * rows).sum(axis=1)
        least = np.take_along_axis(squared, codes[part][:, None], axis=1)[:, 0]
        distances[part] = np.maximum(own + least, 0)
    return codes, distances


def adjusted_rand(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """How far two groupings of the same rows agree: 1 wholly, 0 as by chance.

    Source: Hubert and Arabie 1985, "Comparing partitions", Journal of Classification 2, eq. 5.

    Raises:
        ValueError: Where the lengths differ.

    Example:
        >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
        1.0
        >>> round(adjusted_rand(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])), 4)
        0.5714
    """
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} and {other.shape} rows are compared")
    width = int(other.max(initial=0)) + 1
    together = np.bincount(one * width + other)
    both = _pairs(together)
    left, right = _pairs(np.bincount(one)), _pairs(np.bincount(other))
    every = _pairs(np.array([len(one)]))
    chance = left * right / every if every else 0.0
    most = (left + right) / 2
    return 1.0 if most == chance else float((both - chance) / (most - chance))


def _pairs(counts: NDArray[np.int64]) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _start(vectors: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Centres far from each other: each drawn by its squared distance to those before."""
    chosen = [int(rng.integers(len(vectors)))]
    _, distances = nearest(vectors, vectors[chosen])
    for _ in range(1, k):
        total = float(distances.sum(dtype=np.float64))
        weights = distances / total if total > 0 else np.full(len(vectors), 1 / len(vectors))
        weights = np.asarray(weights, dtype=np.float64)
        chosen.append(int(rng.choice(len(vectors), p=weights / weights.sum())))
        _, latest = nearest(vectors, vectors[chosen[-1:]])
        distances = np.minimum(distances, latest)
    return vectors[chosen].copy()


def _lloyd(vectors: Floats, centres: Floats) -> Clusters:
    k = len(centres)
    codes, distances = nearest(vectors, centres)
    for _ in range(_ITERATIONS):
        counts = np.bincount(codes, minlength=k)
        order = np.argsort(codes, kind="stable")
        filled = np.flatnonzero(counts)
        starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]])
        centres = centres.copy()
        centres[filled] = np.add.reduceat(vectors[order], starts) / counts[filled, None]
        for empty in np.flatnonzero(counts == 0):  # take the row that is worst off
            far = int(distances.argmax())
            centres[empty] = vectors[far]
            distances[far] = 0
        before = codes
        codes, distances = nearest(vectors, centres)
        if (codes == before).all():
            break
    return Clusters(centres, codes, float(distances.sum(dtype=np.float64)))
