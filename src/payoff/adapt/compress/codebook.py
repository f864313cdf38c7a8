"""Codebooks: every matrix shares a few values among its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from payoff.adapt.compress.encoder_graph import Doubles, Floats, is_encoder
from payoff.adapt.compress.shared_values import on_steps, write_with_shared_values
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec

_BINS = 4096
_ROUNDS = 100


@dataclass(frozen=True)
class Codebook:
    """Shared values found by k-means (Han et al. 2016, "Deep Compression", section 3).

    A weight counts by what its output and its input are worth; errors are made up for by
    `compensated`. The codebook is part of no file: its values lie on the steps of 8 bits, where
    `int8` keeps them, and `zstd` codes which one a weight has. So nothing has to be looked up
    while serving.

    Args:
        values: Of a matrix.
        table: Of the token table.

    Raises:
        AdaptError: PF406 for numbers out of range.
    """

    values: int = 16
    table: int = 32
    name = "codebook"
    stage = "values"

    def __post_init__(self) -> None:
        need_within(self.name, "values", self.values, 3, 128)
        need_within(self.name, "table", self.table, 3, 128)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Give matrices and the token table their values; see `write_with_shared_values`."""
        return write_with_shared_values(
            self.name,
            spec,
            folder,
            target,
            texts=texts,
            of_matrix=lambda weights, counts: k_means(weights, counts, self.values),
            of_table=lambda weights, counts: k_means(weights, counts, self.table),
        )


def k_means(weights: Floats, counts: Doubles, n: int) -> Doubles:
    """The values that weights are near to, by Lloyd's rule in one dimension.

    Args:
        weights: Between -1 and 1, of any shape.
        counts: What each counts, of the same shape.
        n: How many values, -1 and 1 among them; fewer where the steps of 8 bits are too few.

    Example:
        >>> weights = np.array([-0.51, -0.49, 0.2, 0.2, 0.3], np.float32)
        >>> (k_means(weights, np.ones(5), 4) * 127).round().tolist()
        [-127.0, -64.0, 30.0, 127.0]
    """
    total, edges = np.histogram(weights, bins=_BINS, range=(-1, 1), weights=counts)
    summed, _ = np.histogram(weights, bins=_BINS, range=(-1, 1), weights=counts * weights)
    middles = (edges[1:] + edges[:-1]) / 2
    # Even shares of what counts to the power of a third: where many weights lie, values are dense.
    share = np.cumsum(np.cbrt(total))
    starts = np.searchsorted(share, (np.arange(n - 2) + 0.5) / (n - 2) * share[-1])
    values = np.concatenate([[-1.0], middles[starts], [1.0]])
    for _ in range(_ROUNDS):
        mine = np.searchsorted((values[1:] + values[:-1]) / 2, middles)
        mass = np.bincount(mine, total, minlength=n)
        means = np.bincount(mine, summed, minlength=n) / np.where(mass > 0, mass, 1)
        moved = np.where(mass > 0, means, values)
        moved[0], moved[-1] = -1.0, 1.0
        moved.sort()
        if np.array_equal(moved, values):
            break
        values = moved
    return on_steps(values)
