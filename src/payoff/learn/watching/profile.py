"""Profile: one feature of requests in cells, with the share and the worth of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from payoff.learn.watching.window import Floats, Integers


@dataclass(frozen=True, eq=False, slots=True)
class Profile:
    """How requests were distributed over the cells of a feature, and what they were worth there.

    Args:
        name: The feature, such as ``"length of the text"``.
        cells: Names of the ``m`` cells.
        shares: Share of the requests in each, ``(m,)``.
        worths: Mean expected worth in each, ``(m,)``; the overall mean where a cell was empty.
        n: How many requests it was made from.

    Example:
        >>> before = Profile.of("length", ("short", "long"), np.array([0, 0, 0, 1]),
        ...                     np.array([3.0, 3.0, 3.0, -1.0]))
        >>> before.explained(np.array([0, 1, 1, 1]))  # half of the requests moved to a 4 lower cell
        -2.0
    """

    name: str
    cells: tuple[str, ...]
    shares: Floats
    worths: Floats
    n: int

    @classmethod
    def of(cls, name: str, cells: tuple[str, ...], codes: Integers, worth: Floats) -> Profile:
        """Make one.

        Args:
            name: The feature.
            cells: Names of the ``m`` cells.
            codes: Cell of each request, ``(n,)``.
            worth: Expected worth of each request, ``(n,)``.
        """
        counts = np.bincount(codes, minlength=len(cells))
        sums = np.bincount(codes, worth, minlength=len(cells))
        overall = float(worth.mean()) if len(worth) else 0.0
        worths = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        return cls(name, cells, counts / max(len(codes), 1), worths, len(codes))

    def now(self, codes: Integers) -> Floats:
        """Shares of later requests, ``(m,)``, from the cell of each."""
        found: Floats = np.bincount(codes, minlength=len(self.cells)) / max(len(codes), 1)
        return found

    def explained(self, codes: Integers) -> float:
        """Money a request by which worth changes where only these shares change: negative is worse.

        The difference in composition of Kitagawa 1955, "Components of a difference between two
        rates", JASA 50(272).
        """
        return float((self.now(codes) - self.shares) @ self.worths)

    def moved(self, codes: Integers) -> float:
        """Share of the requests that would have to change cells: total variation, 0 to 1."""
        return float(np.abs(self.now(codes) - self.shares).sum() / 2)

    def surprise(self, codes: Integers) -> float:
        """Standard deviations by which the two samples differ more than by chance, at least 0.

        Pearson's statistic of two samples, brought to a normal one by its cube root (Wilson and
        Hilferty 1931, "The distribution of chi-square", PNAS 17(12)).
        """
        m = len(codes)
        pooled = (self.now(codes) * m + self.shares * self.n) / max(m + self.n, 1)
        seen = pooled > 0
        degrees = int(seen.sum()) - 1
        if degrees < 1 or not m or not self.n:
            return 0.0
        gap = (self.now(codes) - self.shares)[seen]
        statistic = float((gap**2 / pooled[seen]).sum() / (1 / m + 1 / self.n))
        spread = 2 / (9 * degrees)
        z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / spread**0.5
        return max(float(z), 0.0)

    def most_grown(self, codes: Integers) -> str:
        """The cell whose share has grown most."""
        return self.cells[int(np.argmax(self.now(codes) - self.shares))]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives back the same."""
        return {
            "name": self.name,
            "cells": list(self.cells),
            "shares": self.shares.tolist(),
            "worths": self.worths.tolist(),
            "n": self.n,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Profile:
        """The inverse of `to_dict`.

        Raises:
            KeyError: Where a part is missing.
        """
        return cls(
            str(content["name"]),
            tuple(content["cells"]),
            np.array(content["shares"], dtype=np.float64),
            np.array(content["worths"], dtype=np.float64),
            int(content["n"]),
        )
