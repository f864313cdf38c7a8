"""Texts as token ids, kept ragged: one flat array and where each text starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.runtime.long_texts import cut_into_pieces, mean_by_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of many texts without padding.

    A text that is longer than a model's window is cut into pieces, each of which is run by itself
    with positions of its own. The vector of a text is the mean of its pieces' vectors, weighted
    by their tokens.

    Args:
        ids: All ids in a row, ``(n_tokens,)``.
        offsets: Start of each text in ``ids`` and the end of the last, ``(n_texts + 1,)``.
        pieces: Start of each piece in ``ids`` and the end of the last, ``(n_pieces + 1,)``; every
            text starts a piece. None where each text is one piece.
        n_cut: Texts whose end was left out, since it lies beyond their last piece.

    Example:
        >>> tokens = Tokens(np.array([5, 6, 7], dtype=np.int64), np.array([0, 1, 3]))
        >>> len(tokens), tokens.lengths.tolist(), tokens.of(1).tolist()
        (2, [1, 2], [6, 7])
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    pieces: NDArray[np.int64] | None = None
    n_cut: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text in all its pieces, ``(n_texts,)``."""
        return np.diff(self.offsets)

    @property
    def n_pieces(self) -> int:
        """Pieces of all texts."""
        return len(self) if self.pieces is None else len(self.pieces) - 1

    @property
    def piece_offsets(self) -> NDArray[np.int64]:
        """Start of each piece and the end of the last, ``(n_pieces + 1,)``."""
        return self.offsets if self.pieces is None else self.pieces

    def of(self, text: int) -> NDArray[np.int64]:
        """Ids of one text, of all its pieces."""
        return self.ids[self.offsets[text] : self.offsets[text + 1]]

    def pieces_of(self, texts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the pieces of some texts, in order, and how many each text has.

        Example:
            >>> tokens = Tokens(np.arange(5), np.array([0, 3, 5]), np.array([0, 2, 3, 5]))
            >>> [array.tolist() for array in tokens.pieces_of(np.array([1, 0]))]
            [[2, 0, 1], [1, 2]]
        """
        if self.pieces is None:
            return texts, np.ones(len(texts), np.int64)
        first = np.searchsorted(self.pieces, self.offsets[texts])
        counts = np.searchsorted(self.pieces, self.offsets[texts + 1]) - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(first, counts) + within, counts

    def mean_of_pieces(
        self, values: NDArray[np.float32], texts: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Means over each text's pieces, weighted by their tokens.

        Args:
            values: One row for each piece of ``texts``, as `pieces_of` numbers them,
                ``(n, width)``.
            texts: Which texts.

        Returns:
            ``(len(texts), width)``.
        """
        if self.pieces is None:
            return values
        numbers, counts = self.pieces_of(texts)
        return mean_by_text(values, np.diff(self.pieces)[numbers], counts)


def tokenise(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    max_tokens: int,
    prefix: str = "",
    max_pieces: int = 1,
    separator: str = "",
) -> Tokens:
    """Tokenise texts with the backbone's own tokenizer, special tokens included.

    Args:
        texts: Texts, ``n_texts`` of them.
        tokenizer: A `tokenizers.Tokenizer`; its truncation is set to ``max_tokens``.
        max_tokens: Longest piece of a text in tokens.
        prefix: Put before each piece, such as ``"query: "`` for E5.
        max_pieces: Most pieces of a text; what is beyond is cut.
        separator: Put between the texts of a pair; see `payoff.core.pair`.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    rows, counts, n_cut = cut_into_pieces(
        texts,
        tokenizer,
        max_tokens=max_tokens,
        max_pieces=max_pieces,
        prefix=prefix,
        separator=separator,
    )
    # A text without any token shows the model token 0, as `payoff.artifact.runtime` serves it.
    ids = [np.asarray(row or [0], dtype=np.int64) for row in rows]
    pieces = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in ids], out=pieces[1:])
    flat = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
    if counts is None:
        return Tokens(flat, pieces, n_cut=n_cut)
    return Tokens(flat, pieces[np.concatenate([[0], np.cumsum(counts)])], pieces, n_cut)
