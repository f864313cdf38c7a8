"""Texts as token ids, kept ragged: one flat array and where each text starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of many texts without padding.

    Args:
        ids: All ids in a row, ``(n_tokens,)``.
        offsets: Start of each text in ``ids`` and the end of the last, ``(n_texts + 1,)``.

    Example:
        >>> tokens = Tokens(np.array([5, 6, 7], dtype=np.int64), np.array([0, 1, 3]))
        >>> len(tokens), tokens.lengths.tolist(), tokens.of(1).tolist()
        (2, [1, 2], [6, 7])
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, ``(n_texts,)``."""
        return np.diff(self.offsets)

    def of(self, text: int) -> NDArray[np.int64]:
        """Ids of one text."""
        return self.ids[self.offsets[text] : self.offsets[text + 1]]


def tokenise(
    texts: Sequence[str], tokenizer: Tokenizer, *, max_tokens: int, prefix: str = ""
) -> Tokens:
    """Tokenise texts with the backbone's own tokenizer, special tokens included.

    Args:
        texts: Texts, ``n_texts`` of them.
        tokenizer: A `tokenizers.Tokenizer`; its truncation is set to ``max_tokens``.
        max_tokens: Longest text in tokens; what is beyond is cut.
        prefix: Put before each text, such as ``"query: "`` for E5.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encodings = tokenizer.encode_batch([prefix + text for text in texts] if prefix else list(texts))
    # A text without any token shows the model token 0, as `payoff.artifact.runtime` serves it.
    ids = [np.asarray(encoding.ids or [0], dtype=np.int64) for encoding in encodings]
    offsets = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in ids], out=offsets[1:])
    flat = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
    return Tokens(flat, offsets)
