"""Batches measured in tokens, of texts of nearly the same length.

Nothing is padded: the tokens of all texts stand in a row, and attention runs over groups of texts
of equal length. What is computed at once is bounded in tokens; what has more is cut.
"""

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

    def alone(self, places: NDArray[np.int64]) -> Pieces:
        """Those at some places, each a text of its own."""
        n = len(places)
        return Pieces(self.numbers[places], torch.arange(n), self.weights.new_ones(n), n)


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

    @property
    def piece_lengths(self) -> NDArray[np.int64]:
        """Tokens of each piece, in the order in which they stand, ``(n_pieces,)``."""
        counts, lengths = (np.array([group[i] for group in self.groups]) for i in (1, 2))
        return np.repeat(lengths, counts)

    @property
    def padding_share(self) -> float:
        """Share of the places that are computed and hold no token, 0–1.

        Example:
            >>> tokens = Tokens(np.arange(9), np.array([0, 2, 6, 7, 9]))
            >>> pack(tokens, np.arange(4)).padding_share
            0.0
        """
        return 1.0 - self.n_tokens / sum(count * length for _, count, length in self.groups)


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
    positions = np.concatenate([np.arange(length) for length in lengths])
    ids = tokens.ids[np.repeat(starts, lengths) + positions]
    return Packed(
        rows, torch.from_numpy(ids), torch.from_numpy(positions), _groups(lengths), pieces
    )


def _groups(lengths: NDArray[np.int64]) -> tuple[tuple[int, int, int], ...]:
    """Groups of pieces whose lengths rise."""
    groups, start = [], 0
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        groups.append((start, int(count), int(length)))
        start += int(length) * int(count)
    return tuple(groups)


def cut(batch: Packed, max_tokens: int) -> list[Packed]:
    """Cut a batch into runs of its pieces, in their order, of at most ``max_tokens`` tokens.

    Returns:
        The batch itself where it is within the bound. Else batches whose tokens behind each other
        are those of the batch, and in which each piece is a text of its own; a piece that is longer
        than the bound is alone.

    Example:
        >>> batch = pack(Tokens(np.arange(9), np.array([0, 2, 6, 7, 9])), np.arange(4))
        >>> [(part.rows.tolist(), part.ids.tolist()) for part in cut(batch, 4)]
        [([2, 0], [6, 0, 1]), ([3], [7, 8]), ([1], [2, 3, 4, 5])]
    """
    if batch.n_tokens <= max_tokens:
        return [batch]
    lengths = batch.piece_lengths
    ends = np.cumsum(lengths)
    found = []
    for run in _cut(np.arange(len(lengths)), lengths, max_tokens, len(lengths)):
        tokens = slice(int(ends[run[0]] - lengths[run[0]]), int(ends[run[-1]]))
        rows, pieces = run, None
        if batch.pieces is not None:
            rows, pieces = batch.pieces.owners.numpy()[run], batch.pieces.alone(run)
        own = batch.ids[tokens], batch.positions[tokens]
        found.append(Packed(batch.rows[rows], *own, _groups(lengths[run]), pieces))
    return found


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
