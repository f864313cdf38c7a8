"""Row kinds: rows of one plan that are worth the same, weighed once for all that they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SHADES = np.array([1.0, np.sqrt(2.0), np.sqrt(3.0), np.sqrt(5.0)])
"""Tell rows of unlike values apart by one sum; what it takes for alike is looked at again."""


@dataclass(frozen=True, eq=False)
class RowKinds:
    """The row values of some plans, as sums of few rows.

    Most payoffs have three kinds of rows: answered rightly, answered wrongly, handed over. All four
    row values of a plan follow from how much two of the kinds weigh, since the weights of a world
    sum to 1: the commonest kind has what the others leave. Where every row is of one kind, nothing
    is weighed. So half of the products are saved, and more where plans do the same with the rows.

    Args:
        rows: What is to be weighed, ``(m, n)``: 1 for the rows of a kind and 0 for others, or the
            row values themselves where a plan has more kinds than values.
        places: Of each plan, which of the rows it needs.
        factors: Of each plan, what its row values are in them, ``(n_values, len(places))``.
        rests: Of each plan, what its row values are beside them, ``(n_values,)``.

    Example:
        >>> right, wrong, both = [3.0, 3.0, 0.0], [0.0, 0.0, -7.0], [1.0, 1.0, 1.0]
        >>> kinds = RowKinds.of([np.array([right, wrong, both])])
        >>> kinds.rows
        array([[0., 0., 1.]])
        >>> kinds.means(0, np.array([[0.1, 0.4]])).round(2)  # in two worlds
        array([[ 2.7,  1.8],
               [-0.7, -2.8],
               [ 1. ,  1. ]])
    """

    rows: Array
    places: tuple[tuple[int, ...], ...]
    factors: tuple[Array, ...]
    rests: tuple[Array, ...]

    @classmethod
    def of(cls, plans: Sequence[Array]) -> RowKinds:
        """The kinds of the row values of each plan, ``(n_values, n)`` with ``n_values`` up to 4."""
        known: dict[bytes, int] = {}
        rows: list[Array] = []
        places, factors, rests = [], [], []
        for values in plans:
            mine, factor, rest = _told(values)
            for row in mine:
                if known.setdefault(row.tobytes(), len(rows)) == len(rows):
                    rows.append(row)
            places.append(tuple(known[row.tobytes()] for row in mine))
            factors.append(factor)
            rests.append(rest)
        n = plans[0].shape[1]
        return cls(np.array(rows).reshape(-1, n), tuple(places), tuple(factors), tuple(rests))

    def take(self, plans: Sequence[int]) -> RowKinds:
        """The kinds of some of the plans."""
        used = sorted({place for plan in plans for place in self.places[plan]})
        new = {place: number for number, place in enumerate(used)}
        return RowKinds(
            self.rows[used],
            tuple(tuple(new[place] for place in self.places[plan]) for plan in plans),
            tuple(self.factors[plan] for plan in plans),
            tuple(self.rests[plan] for plan in plans),
        )

    def means(
        self,
        plan: int,
        weighed: NDArray[np.floating[Any]],
        dtype: type[np.floating[Any]] = np.float64,
    ) -> NDArray[Any]:
        """Row values of a plan in each world, ``(n_values, n_worlds)``.

        Args:
            plan: Its place.
            weighed: Means of `rows`, ``(m, n_worlds)``.
            dtype: What they are added up in.
        """
        factors, rest = self.factors[plan], self.rests[plan]
        kinds = [weighed[place].astype(dtype) for place in self.places[plan]]
        means = np.empty((len(rest), weighed.shape[1]), dtype=dtype)
        for mean, mine, constant in zip(means, factors, rest, strict=True):
            used = np.flatnonzero(mine)
            if not len(used):
                mean.fill(constant)
                continue
            np.multiply(kinds[used[0]], dtype(mine[used[0]]), out=mean)
            for place in used[1:]:
                mean += kinds[place] * dtype(mine[place])
            if constant:
                mean += dtype(constant)
        return means


def _told(values: Array) -> tuple[list[Array], Array, Array]:
    """The rows to weigh, and row values as sums of them and of a constant."""
    _, first, kind = np.unique(
        _SHADES[: len(values)] @ values, return_index=True, return_inverse=True
    )
    worth = values[:, first]
    there = np.flatnonzero(values.any(axis=1))
    if len(first) - 1 > len(there) or not np.array_equal(worth[:, kind], values):
        return list(values[there]), np.eye(len(values))[:, there], np.zeros(len(values))
    commonest = int(np.bincount(kind).argmax())
    rest, others = worth[:, commonest], [n for n in range(len(first)) if n != commonest]
    mine = [(kind == number).astype(np.float64) for number in others]
    return mine, worth[:, others] - rest[:, None], rest
