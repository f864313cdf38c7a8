"""Overlapping windows over a text's tokens, for models that say something of every token.

Every token that stands for characters of the text counts in just one window: where two windows
overlap, the earlier one counts up to the middle of the overlap and the later one from there, so
that no token is judged at an edge that is not the text's own. What lies within half the overlap
of a cut is seen whole from both sides. The same rule makes the windows for training and serving.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Window(NamedTuple):
    """Some tokens of a text, with all that the model needs around them.

    Attributes:
        ids: Token ids, special ones and prefix included, ``(n_tokens,)``; never empty.
        places: Characters that each token stands for, start and end without white space,
            ``(n_tokens, 2)``; -1 twice for tokens that do not count here.
    """

    ids: Ints
    places: Ints

    @property
    def counting(self) -> npt.NDArray[np.bool_]:
        """Which tokens count in this window, ``(n_tokens,)``."""
        counts: npt.NDArray[np.bool_] = self.places[:, 0] >= 0
        return counts


def cut_windows(
    encoding: Any, text: str, *, max_tokens: int, overlap: int, prefix: str = ""
) -> list[Window]:
    """The windows of one text, at least one.

    Args:
        encoding: Of ``prefix + text`` by a `tokenizers.Tokenizer`, with special tokens and without
            truncation.
        text: The text itself.
        max_tokens: Longest window, special tokens and prefix included.
        overlap: Tokens that a window shares with the next.
        prefix: Put before the text; every window gets it.

    Example:
        >>> windows = cut_windows(encoding, text, max_tokens=8, overlap=4)  # doctest: +SKIP
        >>> [len(window.ids) for window in windows]  # doctest: +SKIP
        [8, 8, 5]
    """
    ids = np.asarray(encoding.ids, dtype=np.int64)
    places = _places(encoding, text, len(prefix))
    if not len(ids):  # a text without any token still shows the model one, as elsewhere
        return [Window(np.zeros(1, np.int64), np.full((1, 2), -1, np.int64))]
    body = np.flatnonzero(places[:, 0] >= 0)
    if len(ids) <= max_tokens or not len(body):
        return [Window(ids[:max_tokens], places[:max_tokens])]
    first, last = int(body[0]), int(body[-1]) + 1
    head, tail = ids[:first], ids[last:]
    windows = []
    for start, end, own in _cuts(last - first, max(1, max_tokens - len(head) - len(tail)), overlap):
        inside = places[first + start : first + end].copy()
        inside[: own[0] - start] = -1
        inside[own[1] - start :] = -1
        around = [np.full((len(part), 2), -1, np.int64) for part in (head, tail)]
        windows.append(
            Window(
                np.concatenate([head, ids[first + start : first + end], tail]),
                np.concatenate([around[0], inside, around[1]]),
            )
        )
    return windows


def _cuts(n: int, room: int, overlap: int) -> list[tuple[int, int, tuple[int, int]]]:
    """Start, end and counting range of each window over ``n`` tokens.

    Example:
        >>> _cuts(10, 6, 2)
        [(0, 6, (0, 5)), (4, 10, (5, 10))]
    """
    step = max(1, room - overlap)
    starts = [0]
    while starts[-1] + room < n:
        starts.append(starts[-1] + step)
    ends = [min(n, start + room) for start in starts]
    middles = [(later + end) // 2 for later, end in zip(starts[1:], ends, strict=False)]
    borders = [0, *middles, n]
    return [
        (start, end, (low, high))
        for start, end, low, high in zip(starts, ends, borders, borders[1:], strict=False)
    ]


def _places(encoding: Any, text: str, n_prefix: int) -> Ints:
    """Characters of the text that each token stands for, ``(n_tokens, 2)``; -1 for none."""
    found = np.full((len(encoding.ids), 2), -1, np.int64)
    rows = zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
    for number, ((start, end), special) in enumerate(rows):
        start, end = max(0, start - n_prefix), end - n_prefix
        if special or end <= start:
            continue
        piece = text[start:end]
        bare = piece.lstrip()
        start += len(piece) - len(bare)
        bare = bare.rstrip()
        if bare:
            found[number] = start, start + len(bare)
    return found
