"""Rising: the rising function nearest to amounts, over rows that are put in order once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MOST_GROUPS = 128
"""Groups of rows of like places that are told apart."""


@dataclass(frozen=True, eq=False)
class RisingGroups:
    """Rows by rising place, in groups of about as many; what is the same for all amounts.

    Args:
        rows: The rows, by rising place, ``(n,)``.
        weights: Weight of each of them, ``(n,)``.
        starts: Where each group begins among them.
        knots: First and last place of each group, in turn.
        totals: Weight of each group.

    Example:
        >>> places, ones = np.array([5.0, 1.0, 3.0]), np.ones(3)
        >>> groups = RisingGroups.of(places, ones, np.argsort(places))
        >>> groups.fitted(np.array([4.0, 2.0, 0.0]))
        (array([1., 3., 5., 5.]), array([1., 1., 4., 4.]))
    """

    rows: NDArray[np.intp]
    weights: Array
    starts: NDArray[np.intp]
    knots: tuple[tuple[float, float], ...]
    totals: tuple[float, ...]

    @classmethod
    def of(cls, places: Array, weights: Array, rows: NDArray[np.intp]) -> RisingGroups:
        """Groups of some rows; rows of the same place are in one.

        Args:
            places: Of all rows.
            weights: Of all rows.
            rows: Those that count, by rising place.
        """
        x, w = places[rows], weights[rows]
        starts = _equal_parts(len(x))
        apart = x[starts] > x[starts - 1]  # no tie is cut
        apart[0] = True
        starts = starts[apart]
        ends = np.append(starts[1:], len(x)) - 1
        knots = zip(x[starts].tolist(), x[ends].tolist(), strict=True)
        return cls(rows, w, starts, tuple(knots), tuple(np.add.reduceat(w, starts).tolist()))

    def fitted(self, amounts: Array) -> tuple[Array, Array]:
        """Knots and levels of the step function nearest to amounts, steps joined by slopes.

        Source: Barlow et al. 1972, "Statistical inference under order restrictions"; pool adjacent
        violators.

        Args:
            amounts: Of all rows.
        """
        sums = np.add.reduceat(self.weights * amounts[self.rows], self.starts)
        return self.pooled(sums.tolist())

    def pooled(self, sums: Sequence[float]) -> tuple[Array, Array]:
        """The same from the weighted sum of the amounts of each group."""
        blocks = _pooled(sums, self.totals)
        levels = [total / weight for _, total, weight in blocks]
        firsts = [first for first, _, _ in blocks]
        lasts = [*(first - 1 for first in firsts[1:]), len(sums) - 1]
        knots = [
            end
            for first, last in zip(firsts, lasts, strict=True)
            for end in (self.knots[first][0], self.knots[last][1])
        ]
        return np.array(knots), np.repeat(levels, 2)


@dataclass(frozen=True, eq=False)
class ManyGroups:
    """Several choices of the same rows, for amounts that are fitted on each of them.

    Args:
        each: The groups of each choice.

    Example:
        >>> places, ones = np.array([5.0, 1.0, 3.0]), np.ones(3)
        >>> some = [RisingGroups.of(places, ones, np.array(rows)) for rows in ([1, 2], [2, 0])]
        >>> [levels for _, levels in ManyGroups(tuple(some)).fitted(np.array([4.0, 2.0, 0.0]))]
        [array([1., 1.]), array([0., 0., 4., 4.])]
    """

    each: tuple[RisingGroups, ...]

    def fitted(self, amounts: Array) -> list[tuple[Array, Array]]:
        """`RisingGroups.fitted` of each."""
        rows, weights, starts = self._joined
        sums = np.add.reduceat(weights * amounts[rows], starts).tolist()
        found, begun = [], 0
        for groups in self.each:
            found.append(groups.pooled(sums[begun : begun + len(groups.totals)]))
            begun += len(groups.totals)
        return found

    @cached_property
    def _joined(self) -> tuple[NDArray[np.intp], Array, NDArray[np.intp]]:
        """Rows, weights and starts of all choices one after the other."""
        begun = np.cumsum([0, *(len(groups.rows) for groups in self.each[:-1])])
        return (
            np.concatenate([groups.rows for groups in self.each]),
            np.concatenate([groups.weights for groups in self.each]),
            np.concatenate([g.starts + n for g, n in zip(self.each, begun, strict=True)]),
        )


def _pooled(sums: Sequence[float], weights: Sequence[float]) -> list[tuple[int, float, float]]:
    """First group, sum and weight of each block of groups that share a level."""
    blocks: list[tuple[int, float, float]] = []
    first, total, weight = 0, sums[0], weights[0]  # of the last block
    for group in range(1, len(sums)):
        more, heavy = sums[group], weights[group]
        if total * heavy < more * weight:
            blocks.append((first, total, weight))
            first, total, weight = group, more, heavy
            continue
        total, weight = total + more, weight + heavy
        while blocks and blocks[-1][1] * weight >= total * blocks[-1][2]:
            first, before, heavy = blocks.pop()
            total, weight = before + total, heavy + weight
    return [*blocks, (first, total, weight)]


@lru_cache(maxsize=64)
def _equal_parts(n: int) -> NDArray[np.intp]:
    """Where groups of ``n`` rows would begin if no two were alike."""
    starts: NDArray[np.intp] = np.unique(
        np.linspace(0, n, min(_MOST_GROUPS, n) + 1).astype(np.intp)[:-1]
    )
    starts.setflags(write=False)
    return starts
