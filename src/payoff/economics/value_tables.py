"""Value tables: what every action is worth under every true label, in general and in segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError

Array = NDArray[np.float64]

Segments = NDArray[np.str_]
"""Segment of each request, ``(n,)``; empty text where none is known."""


def segment_names(names: Sequence[str | None] | NDArray[Any]) -> Segments:
    """The names as an array, with empty text for those that are missing.

    Example:
        >>> segment_names(["shops", None]).tolist()
        ['shops', '']
    """
    return np.array([name or "" for name in names], dtype=np.str_)


@dataclass(frozen=True, eq=False)
class ValueTables:
    """Money per request of every action under every true label.

    A request of a segment that has no table of its own, or of no known segment, is worth what
    requests are worth in general.

    Args:
        general: ``(k, k+1)``: rows are true labels, columns the actions, handing over last.
        segments: The same for segments whose requests are worth something else, by name.

    Raises:
        EconomicsError: PF613 where tables have not the same shape, or an amount is not finite.

    Example:
        >>> general = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])
        >>> tables = ValueTables(general, {"clinics": 10 * general})
        >>> names = segment_names(["shops", "clinics"])
        >>> tables.realised(np.array([0, 0]), np.array([1, 1]), names).tolist()
        [-7.0, -70.0]
        >>> tables.expected(np.array([[0.5, 0.5], [0.9, 0.1]]), names).round(1).tolist()
        [[-2.0, -2.0, -1.0], [20.0, -60.0, -10.0]]
    """

    general: Array
    segments: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, table in {"": self.general, **self.segments}.items():
            rows = table.shape[0] if table.ndim == 2 else 0
            expected = (rows, rows + 1) if table is self.general else self.general.shape
            if not rows or table.shape != expected or not np.isfinite(table).all():
                raise EconomicsError(
                    "PF613",
                    f"policy values of the segment '{name}'" if name else "policy values",
                    f"they have the shape {table.shape}, or are not finite",
                    expected=f"{expected} finite amounts",
                )

    @cached_property
    def stacked(self) -> Array:
        """All tables, ``(1 + n_segments, k, k+1)``, the general one first."""
        return np.stack([self.general, *self.segments.values()])

    @property
    def spread(self) -> float:
        """Largest difference between two amounts."""
        return float(np.ptp(self.stacked))

    @property
    def largest(self) -> float:
        """Largest amount without its sign; 0 where there is none."""
        return float(np.abs(self.stacked).max(initial=0.0))

    def codes(self, names: Segments | None, n: int) -> NDArray[np.int64]:
        """Place in `stacked` of the table of each request, ``(n,)``.

        Args:
            names: Segment of each request, ``(n,)``; None where none is known.
            n: How many requests there are.

        Raises:
            EconomicsError: PF614 where there are more or fewer names than requests.
        """
        found = np.zeros(n, dtype=np.int64)
        if names is None or not self.segments:
            return found
        if np.shape(names) != (n,):
            raise EconomicsError("PF614", "segments", f"{len(names)} for {n} requests")
        for place, name in enumerate(self.segments, 1):
            found[names == name] = place
        return found

    def expected(self, probabilities: Array, names: Segments | None = None) -> Array:
        """Expected worth of every action, ``(n, k+1)``."""
        return self._by_table(probabilities, self.stacked, names)

    def best(self, probabilities: Array, names: Segments | None = None) -> Array:
        """Expected worth of the best action for a truth that will be known, ``(n,)``."""
        known = self.stacked.max(axis=2)[:, :, None]
        return self._by_table(probabilities, known, names)[:, 0]

    def realised(
        self,
        truth: NDArray[np.integer[Any]],
        actions: NDArray[np.integer[Any]],
        names: Segments | None = None,
    ) -> Array:
        """Worth of each action under the true label, ``(n,)``.

        Raises:
            EconomicsError: PF614 where shapes differ or an index is out of range.
        """
        k = len(self.general)
        check_indices("truth", truth, k)
        check_indices("actions", actions, k + 1)
        if truth.shape != actions.shape:
            raise EconomicsError(
                "PF614", "actions", f"{len(actions)} actions for {len(truth)} truths"
            )
        worth: Array = self.stacked[self.codes(names, len(truth)), truth, actions]
        return worth

    def _by_table(self, probabilities: Array, tables: Array, names: Segments | None) -> Array:
        if names is None or not self.segments:
            worth: Array = probabilities @ tables[0]
            return worth
        codes = self.codes(names, len(probabilities))
        worth = np.empty((len(probabilities), tables.shape[2]))
        for code in np.unique(codes):
            rows = codes == code
            worth[rows] = probabilities[rows] @ tables[code]
        return worth


def check_indices(name: str, indices: NDArray[np.integer[Any]], below: int) -> None:
    """Refuse what are no indices from 0 to below a number.

    Raises:
        EconomicsError: PF614.

    Example:
        >>> check_indices("truth", np.array([0, 1]), 2)
    """
    whole = np.issubdtype(indices.dtype, np.integer)
    if indices.ndim != 1 or not whole or ((indices < 0) | (indices >= below)).any():
        raise EconomicsError(
            "PF614",
            name,
            f"shape {indices.shape}, type {indices.dtype}, or an index is out of range",
            expected=f"whole numbers from 0 to {below - 1}, one per request",
        )
