"""Batches measured in tokens, of texts of nearly the same length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch without padding: the tokens of all its texts in a row, shortest texts first.

    Args:
        rows: Which texts, ``(n,)``, by rising length.
        ids: Their token ids, ``(n_tokens,)``.
        positions: Place of each token in its text, ``(n_tokens,)``.
        groups: Texts of equal length stand together: ``(first token, texts, length)`` each.
    """

    rows: NDArray[np.int64]
    ids: torch.Tensor
    positions: torch.Tensor
    groups: tuple[tuple[int, int, int], ...]

    @property
    def n_tokens(self) -> int:
        """Tokens in the batch."""
        return len(self.ids)


def pack(tokens: Tokens, rows: NDArray[np.int64]) -> Packed:
    """Lay the texts ``rows`` in a row, by rising length (stable)."""
    rows = rows[np.argsort(tokens.lengths[rows], kind="stable")]
    lengths = tokens.lengths[rows]
    groups = []
    start = 0
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append((start, int(count), int(length)))
        start += int(length) * int(count)
    ids = np.concatenate([tokens.of(row) for row in rows])
    positions = np.concatenate([np.arange(length) for length in lengths])
    return Packed(rows, torch.from_numpy(ids), torch.from_numpy(positions), tuple(groups))


def by_tokens(
    lengths: NDArray[np.int64], max_tokens: int, *, max_texts: int = 1 << 30
) -> list[NDArray[np.int64]]:
    """Cut texts, sorted by length, into batches of at most ``max_tokens`` tokens.

    Returns:
        Row indices of each batch; every text is in just one, a longer text alone in its own.

    Example:
        >>> [b.tolist() for b in by_tokens(np.array([9, 2, 3, 2]), 8)]
        [[1, 3, 2], [0]]
    """
    order = np.argsort(lengths, kind="stable")
    return _cut(order, lengths, max_tokens, max_texts)


def shuffled_by_tokens(
    lengths: NDArray[np.int64], max_tokens: int, max_texts: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Training batches: random texts of similar length together, batches in random order.

    Lengths are jittered by up to a token before sorting, so that the same texts do not meet in
    every epoch.
    """
    order = np.argsort(lengths + rng.uniform(0.0, 1.5, len(lengths)), kind="stable")
    batches = _cut(order, lengths, max_tokens, max_texts)
    return [batches[i] for i in rng.permutation(len(batches))]


def _cut(
    order: NDArray[np.int64], lengths: NDArray[np.int64], max_tokens: int, max_texts: int
) -> list[NDArray[np.int64]]:
    batches: list[NDArray[np.int64]] = []
    start = total = 0
    for end, row in enumerate(order):
        if end > start and (total + lengths[row] > max_tokens or end - start >= max_texts):
            batches.append(order[start:end])
            start, total = end, 0
        total += int(lengths[row])
    if start < len(order):
        batches.append(order[start:])
    return batches
