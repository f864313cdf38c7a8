"""Window: the requests that are looked at together, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ServiceError
from payoff.economics.value_tables import Segments, ValueTables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_LEAST = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class Window:
    """Requests, what was decided on them, and what came out where somebody knows it.

    Args:
        probabilities: Calibrated, ``(n, k)``, as the decisions were made with.
        actions: ``(n,)``: 0 to ``k - 1`` act as that label, ``k`` hands over.
        tables: What is worth what.
        truth: The true label, ``(n,)``; -1 where nobody knows it. None for none at all.
        known_worth: What a request earned where somebody knows the money, ``(n,)``; NaN where
            not. It counts before the true label. None for none at all.
        inclusion: By which chance each request's label was asked for, ``(n,)``, where some were
            drawn (`payoff.learn.watching.audit`) and answered; 0 for all others, None for none.
        costs: What asking models cost, ``(n,)``; None for nothing.
        segments: Segment of each request, ``(n,)``; None where none is known.
        texts: The texts, ``n`` of them, empty where one is not kept; None where none is.
        vectors: Embeddings, ``(n, width)``; None where there are none.
        days: How long these requests took to come.

    Raises:
        ServiceError: PF751 where the arrays do not fit each other.

    Example:
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> window = Window(probabilities=np.array([[0.9, 0.1], [0.5, 0.5]]), tables=tables,
        ...                 actions=np.array([0, 2]), truth=np.array([1, -1]))
        >>> window.expected.round(2).tolist(), window.realised.tolist()
        ([2.0, -1.0], [-7.0, nan])
    """

    probabilities: Floats
    actions: Integers
    tables: ValueTables
    truth: Integers | None = None
    known_worth: Floats | None = None
    inclusion: Floats | None = None
    costs: Floats | None = None
    segments: Segments | None = None
    texts: tuple[str, ...] | None = field(default=None, repr=False)
    vectors: NDArray[np.float32] | None = field(default=None, repr=False)
    days: float = 1.0

    def __post_init__(self) -> None:
        n, k = len(self.actions), len(self.tables.general)
        if self.probabilities.shape != (n, k):
            raise _unfit(f"probabilities {self.probabilities.shape}", f"({n}, {k})")
        if n and not (self.actions.min() >= 0 and self.actions.max() <= k):
            raise _unfit("an action out of range", f"0 to {k}")
        if self.truth is not None and n and not (-1 <= self.truth.min() <= self.truth.max() < k):
            raise _unfit("a true label out of range", f"-1 to {k - 1}")
        for name in ("truth", "known_worth", "inclusion", "costs", "segments", "texts", "vectors"):
            part = getattr(self, name)
            if part is not None and len(part) != n:
                raise _unfit(f"{len(part)} of '{name}'", f"{n}")
        if not self.days > 0:
            raise _unfit(f"{self.days} days", "more than 0")

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def n_labels(self) -> int:
        """How many labels the model tells apart, ``k``."""
        return len(self.tables.general)

    @property
    def per_day(self) -> float:
        """Requests a day."""
        return len(self) / self.days

    @cached_property
    def outcomes(self) -> Floats:
        """Worth of each request's action under every true label, ``(n, k)``."""
        codes = self.tables.codes(self.segments, len(self))
        worth: Floats = self.tables.stacked[codes, :, self.actions]
        return worth

    @cached_property
    def expected(self) -> Floats:
        """What each request is worth as its own probabilities say, before costs: ``(n,)``."""
        worth: Floats = np.einsum("ij,ij->i", self.probabilities, self.outcomes)
        return worth

    @cached_property
    def variance(self) -> Floats:
        """Variance of each request's worth as its own probabilities say, ``(n,)``."""
        squares = np.einsum("ij,ij->i", self.probabilities, self.outcomes**2)
        worth: Floats = np.maximum(squares - self.expected**2, 0.0)
        return worth

    @cached_property
    def realised(self) -> Floats:
        """What each request earned where that is known, before costs, ``(n,)``; NaN elsewhere."""
        found = np.full(len(self), np.nan)
        if self.truth is not None:
            rows = np.flatnonzero(self.truth >= 0)
            found[rows] = self.outcomes[rows, self.truth[rows]]
        if self.known_worth is not None:
            found = np.where(np.isnan(self.known_worth), found, self.known_worth)
        return found

    @property
    def spent(self) -> Floats:
        """What asking models cost, ``(n,)``."""
        return np.zeros(len(self)) if self.costs is None else self.costs

    @cached_property
    def sureness(self) -> Floats:
        """Negative entropy of each request's probabilities in nats, ``(n,)``: 0 is certain."""
        p = self.probabilities
        terms: Floats = (p * np.log(np.maximum(p, _LEAST))).sum(axis=1)
        return terms

    def rows(self, chosen: NDArray[np.intp] | NDArray[np.bool_], *, days: float = 0.0) -> Window:
        """Some of the requests.

        Args:
            chosen: Their places, or which ones.
            days: How long they took to come; as long as all of them where 0.
        """
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        parts: dict[str, Any] = {
            name: None if (part := getattr(self, name)) is None else part[places]
            for name in ("truth", "known_worth", "inclusion", "costs", "segments", "vectors")
        }
        texts = None if self.texts is None else tuple(self.texts[i] for i in places)
        return replace(
            self,
            probabilities=self.probabilities[places],
            actions=self.actions[places],
            texts=texts,
            days=days or self.days,
            **parts,
        )


def _unfit(found: str, expected: str) -> ServiceError:
    return ServiceError("PF751", "requests that are watched", found, expected=expected)
