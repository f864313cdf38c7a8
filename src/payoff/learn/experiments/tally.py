"""Tally: an experiment's requests added up by customer, which is all that its arithmetic needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums over the requests of a customer in one stage and one arm: a cell a row.

    Args:
        customer: Number of the customer, ``(n_cells,)``, int64, from 0 without large gaps.
        stage: Number of the stage, ``(n_cells,)``, int64, from 0.
        treated: Whether the treatment decided, ``(n_cells,)``, bool.
        requests: How many, ``(n_cells,)``.
        value: Sum of what they were worth, ``(n_cells,)``.
        covariate: Sum of what was known of the customer before, ``(n_cells,)``; None for nothing.

    Example:
        >>> requests = dict(customer=np.array([0, 0, 1]), stage=np.zeros(3, int),
        ...                 treated=np.array([True, True, False]))
        >>> cells = tally_of(**requests, value=np.array([3.0, -8.0, 1.0]))
        >>> cells.requests.tolist(), cells.value.tolist()
        ([2.0, 1.0], [-5.0, 1.0])
    """

    customer: NDArray[np.int64]
    stage: NDArray[np.int64]
    treated: NDArray[np.bool_]
    requests: Array
    value: Array
    covariate: Array | None = None

    def customers(self, *, treated: bool) -> int:
        """How many customers an arm has seen."""
        return n_different(self.customer[self.treated == treated])


def n_different(numbers: NDArray[np.int64]) -> int:
    """How many different numbers there are, from 0 without large gaps.

    Example:
        >>> n_different(np.array([0, 2, 2]))
        2
    """
    return int(np.count_nonzero(np.bincount(numbers)))


def tally_of(
    customer: NDArray[np.integer[Any]],
    stage: NDArray[np.integer[Any]],
    treated: NDArray[np.bool_],
    *,
    value: Array,
    covariate: Array | None = None,
) -> Tally:
    """Add requests up.

    Args:
        customer: Number of the customer of each, ``(n,)``, from 0.
        stage: Number of its stage, ``(n,)``, from 0.
        treated: Whether the treatment decided, ``(n,)``.
        value: What each was worth, ``(n,)``.
        covariate: What was known of its customer before, ``(n,)``; None for nothing.

    Example:
        >>> one = np.zeros(1, int)
        >>> tally_of(one, one, one == 0, value=np.ones(1)).customers(treated=True)
        1
    """
    n_stages = int(stage.max(initial=0)) + 1
    key = (customer.astype(np.int64) * n_stages + stage) * 2 + treated
    largest = int(key.max(initial=-1)) + 1
    # A table of all keys where most are used; else only those that occur.
    if largest <= 4 * len(key) + 1024:
        counts = np.bincount(key, minlength=largest)
        found = np.flatnonzero(counts)
        place = np.cumsum(counts > 0) - 1
        cell = place[key]
    else:
        found, cell = np.unique(key, return_inverse=True)
    n = len(found)

    def summed(column: Array) -> Array:
        total: Array = np.bincount(cell, weights=column, minlength=n).astype(np.float64)
        return total

    return Tally(
        customer=found // 2 // n_stages,
        stage=found // 2 % n_stages,
        treated=found % 2 == 1,
        requests=summed(np.ones(len(key))),
        value=summed(value),
        covariate=None if covariate is None else summed(covariate),
    )
