"""Batches measured in tokens, of texts of nearly the same length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.tokens import Tokens
from payoff.artifact.runtime.long_texts import shares


@dataclass(frozen=True, slots=True)
class Pieces:
    """How the pieces of a batch belong to its texts.

    Args:
        numbers: Which pieces of the `Tokens`, in the order in which they stand, ``(n_pieces,)``.
        owners: Text of each piece, as a place in the batch's ``rows``, ``(n_pieces,)``.
        weights: Share of each piece in its text, by tokens, ``(n_pieces,)``.
        n_texts: Texts of the batch.
    """

    numbers: NDArray[np.int64]
    owners: torch.Tensor
    weights: torch.Tensor
    n_texts: int

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Weighted means over each text's pieces, ``(n_pieces, width)`` to ``(n_texts, width)``."""
        weighted = self.weights[:, None] * values
        return values.new_zeros(self.n_texts, values.shape[1]).index_add(0, self.owners, weighted)


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch without padding: the tokens of all its texts in a row, shortest pieces first.

    Args:
        rows: Which texts, ``(n,)``, by rising length.
        ids: Their token ids, ``(n_tokens,)``.
        positions: Place of each token in its piece, ``(n_tokens,)``.
        groups: Pieces of equal length stand together: ``(first token, pieces, length)`` each.
        pieces: Which text each piece belongs to; None where every text is one piece, so that
            pieces and texts are the same, in the same order.
    """

    rows: NDArray[np.int64]
    ids: torch.Tensor
    positions: torch.Tensor
    groups: tuple[tuple[int, int, int], ...]
    pieces: Pieces | None = None

    @property
    def n_tokens(self) -> int:
        """Tokens in the batch."""
        return len(self.ids)


def pack(tokens: Tokens, rows: NDArray[np.int64]) -> Packed:
    """Lay the texts ``rows`` in a row, their pieces by rising length (stable)."""
    rows = rows[np.argsort(tokens.lengths[rows], kind="stable")]
    numbers, counts = tokens.pieces_of(rows)
    offsets = tokens.piece_offsets
    starts, lengths = offsets[numbers], offsets[numbers + 1] - offsets[numbers]
    pieces = None
    if len(numbers) > len(rows):
        order = np.argsort(lengths, kind="stable")
        pieces = Pieces(
            numbers[order],
            torch.from_numpy(np.repeat(np.arange(len(rows)), counts)[order]),
            torch.from_numpy(shares(lengths, counts)[order]),
            len(rows),
        )
        starts, lengths = starts[order], lengths[order]
    groups = []
    start = 0
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append((start, int(count), int(length)))
        start += int(length) * int(count)
    positions = np.concatenate([np.arange(length) for length in lengths])
    ids = tokens.ids[np.repeat(starts, lengths) + positions]
    return Packed(rows, torch.from_numpy(ids), torch.from_numpy(positions), tuple(groups), pieces)


def places(tokens: Tokens, batch: Packed) -> NDArray[np.int64]:
    """Where the batch's tokens stand in ``tokens.ids``, ``(n_tokens,)``.

    Example:
        >>> tokens = Tokens(np.array([7, 8, 9]), np.array([0, 2, 3]))
        >>> batch = pack(tokens, np.array([0, 1]))
        >>> batch.ids.tolist(), places(tokens, batch).tolist()
        ([9, 7, 8], [2, 0, 1])
    """
    numbers = tokens.pieces_of(batch.rows)[0] if batch.pieces is None else batch.pieces.numbers
    offsets = tokens.piece_offsets
    starts = np.repeat(offsets[numbers], offsets[numbers + 1] - offsets[numbers])
    return np.asarray(starts + batch.positions.numpy(), dtype=np.int64)


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
