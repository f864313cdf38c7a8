"""Texts longer than a model's window are cut into pieces: one rule for training and serving.

What a text is worth to a model is then the mean over its pieces, weighted by their tokens; a text
of one piece is as if there were no such rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.session import first_line
from payoff.core.errors import ArtifactError
from payoff.core.pair import separated

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_PIECES = 8
"""Pieces of a text that are read unless said otherwise; what is beyond is cut."""


class Cut(NamedTuple):
    """Texts as rows of token ids.

    Attributes:
        ids: Token ids of each piece, the pieces of a text one after the other. Without special
            tokens, a text may have none.
        counts: Pieces of each text, ``(n_texts,)``; None where each has one.
        n_cut: Texts whose end is in no piece.
    """

    ids: list[list[int]]
    counts: npt.NDArray[np.int64] | None
    n_cut: int


def cut_into_pieces(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    max_tokens: int,
    max_pieces: int = MAX_PIECES,
    prefix: str = "",
    separator: str = "",
) -> Cut:
    """Tokenise texts; one of more than ``max_tokens`` tokens becomes several pieces.

    The pieces of a text are as long as each other, as nearly as words allow: a cut is moved by up
    to a quarter of a piece to where a word starts. Each has the tokenizer's special tokens and
    the prefix. Pieces do not overlap.

    Args:
        texts: ``n_texts`` of them.
        tokenizer: Truncates at ``max_tokens``, with a stride of 0; pads never.
        max_tokens: Longest piece, in tokens, special ones and prefix included.
        max_pieces: Most pieces of a text; 1 cuts what is beyond ``max_tokens``.
        prefix: Put before each piece, such as ``"query: "``.
        separator: Put between the texts of a pair, such as ``"[SEP]"``; see `payoff.core.pair`. A
            long pair is cut as one text is: a piece may hold parts of one of them, or of both.

    Raises:
        ArtifactError: PF504 where the tokenizer cannot read a text.

    Example:
        >>> cut_into_pieces(["a b c"], tokenizer, max_tokens=4).ids  # doctest: +SKIP
        [[2, 5, 6, 3], [2, 7, 3]]
    """
    texts = separated(texts, separator)
    prefixed = [prefix + text for text in texts] if prefix else texts
    codes = encoded(tokenizer.encode_batch_fast, prefixed)
    ids = [code.ids for code in codes]
    long = [i for i, row in enumerate(ids) if len(row) >= max_tokens and codes[i].overflowing]
    if not long or max_pieces == 1:
        return Cut(ids, None, len(long))
    start = tokenizer.encode(prefix, add_special_tokens=False).ids if prefix else []
    counts, n_cut = np.ones(len(ids), np.int64), 0
    found: list[list[list[int]]] = [[row] for row in ids]
    # Once more, since the fast way does not tell where words start.
    again = tokenizer.encode_batch([prefixed[i] for i in long])
    for i, code in zip(long, again, strict=True):
        found[i], is_cut = _cut(code, max_tokens, max_pieces, start)
        counts[i] = len(found[i])
        n_cut += is_cut
    return Cut([piece for pieces in found for piece in pieces], counts, n_cut)


def encoded(encode: Callable[[list[str]], list[Any]], texts: Sequence[str]) -> list[Any]:
    """What a tokenizer makes of texts.

    Args:
        encode: The tokenizer's method.
        texts: What it is given.

    Raises:
        ArtifactError: PF504 where it cannot read one, as one cannot that lacks its own unknown
            token.

    Example:
        >>> encoded(lambda texts: [len(text) for text in texts], ["a", "bc"])
        [1, 2]
    """
    try:
        return encode(list(texts))
    except Exception as error:  # tokenizers raises plain Exception
        raise ArtifactError(
            "PF504",
            "tokenizer.json",
            f"it cannot read a text ({first_line(error)})",
            expected="a tokenizer that reads every text",
        ) from error


def shares(
    lengths: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """How much each piece counts in its text: its share of the text's tokens.

    Args:
        lengths: Tokens of each piece, ``(n_pieces,)``; one without a token counts as one.
        counts: Pieces of each text, ``(n_texts,)``, 1 or more.

    Returns:
        ``(n_pieces,)``.

    Example:
        >>> shares(np.array([3, 1, 7]), np.array([2, 1])).tolist()
        [0.75, 0.25, 1.0]
    """
    lengths = np.maximum(lengths, 1)  # a text without a token shows the model one
    totals = np.add.reduceat(lengths, np.cumsum(counts) - counts)
    return np.asarray(lengths / np.repeat(totals, counts), np.float32)


def mean_by_text(
    values: npt.NDArray[np.float32],
    lengths: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Mean of the pieces' rows, weighted by their tokens.

    Args:
        values: One row a piece, ``(n_pieces, width)``.
        lengths: Tokens of each piece, ``(n_pieces,)``.
        counts: Pieces of each text, ``(n_texts,)``, 1 or more.

    Returns:
        ``(n_texts, width)``.

    Example:
        >>> values = np.array([[1.0], [5.0], [2.0]], np.float32)
        >>> mean_by_text(values, np.array([3, 1, 7]), np.array([2, 1])).tolist()
        [[2.0], [2.0]]
    """
    weighted = values * shares(lengths, counts)[:, None]
    mean: npt.NDArray[np.float32] = np.add.reduceat(weighted, np.cumsum(counts) - counts, axis=0)
    return mean


def _cut(
    code: Any, max_tokens: int, max_pieces: int, prefix: list[int]
) -> tuple[list[list[int]], bool]:
    """The pieces of a truncated encoding and what it left over; whether its end is lost."""
    special = code.special_tokens_mask
    n_left = next((i for i, mark in enumerate(special) if not mark), 0)
    n_right = next((i for i, mark in enumerate(reversed(special)) if not mark), 0)
    left, right = code.ids[:n_left], code.ids[len(special) - n_right :]
    body, words = _body(code)
    n_prefix = 0
    while n_prefix < min(len(prefix), len(body)) and body[n_prefix] == prefix[n_prefix]:
        n_prefix += 1
    left, body, words = left + body[:n_prefix], body[n_prefix:], words[n_prefix:]
    room = max_tokens - len(left) - len(right)
    if room < 1:
        return [code.ids], True
    pieces, start = [], 0
    for end in _ends(words, room, max_pieces):
        pieces.append(left + body[start:end] + right)
        start = end
    return pieces, start < len(body)


def _body(code: Any) -> tuple[list[int], list[int | None]]:
    """All of a text's token ids without the special ones, and the word of each."""
    ids: list[int] = []
    words: list[int | None] = []
    for part in (code, *code.overflowing):
        for token, word, mark in zip(
            part.ids, part.word_ids, part.special_tokens_mask, strict=True
        ):
            if not mark:
                ids.append(token)
                words.append(word)
    return ids, words


def _ends(words: Sequence[int | None], room: int, max_pieces: int) -> list[int]:
    """Where each piece ends, ``room`` tokens or fewer after the one before.

    Example:
        >>> _ends([0, 1, 2, 3, 3, 4, 5], 4, 8)  # four and three would part the word 3
        [3, 7]
        >>> _ends([0] * 9, 2, 3)
        [2, 4, 6]
    """
    n = len(words)
    fits = n <= max_pieces * room
    slack = room // 4
    ends: list[int] = []
    start = 0
    for left in range(-(-n // room) if fits else max_pieces, 0, -1):
        even = start + min(room, -(-(n - start) // left))
        # Where all fits, the rest must fit into the pieces that are left and fill each of them.
        least = max(start + 1, even - slack, n - (left - 1) * room if fits else 0)
        most = min(start + room, even + slack, n - (left - 1))
        starts = [e for e in range(least, most + 1) if e == n or words[e] != words[e - 1]]
        start = min(starts, key=lambda end: (abs(end - even), end), default=even)
        ends.append(start)
    return ends
