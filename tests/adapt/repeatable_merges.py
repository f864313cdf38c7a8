"""Byte-pair merges that come out the same every time, unlike those of the library's trainers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise


def merged_pieces(
    words: Mapping[tuple[str, ...], int], most: int, *, inner: str = ""
) -> list[tuple[str, str]]:
    """The pairs to merge, in order: the commonest first, and of equals the first by alphabet.

    Args:
        words: Each word as its first pieces, and how often it occurs.
        most: How many merges.
        inner: What a piece inside a word begins with; it goes where pieces are joined.
    """
    left = dict(words)
    found: list[tuple[str, str]] = []
    while len(found) < most:
        pairs: Counter[tuple[str, str]] = Counter()
        for pieces, count in left.items():
            for pair in pairwise(pieces):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        joined: Counter[tuple[str, ...]] = Counter()
        for pieces, count in left.items():
            joined[_joined(pieces, best, inner)] += count
        left = dict(joined)
    return found


def join(pair: tuple[str, str], inner: str = "") -> str:
    """The piece that a pair becomes."""
    return pair[0] + pair[1].removeprefix(inner)


def _joined(pieces: Sequence[str], pair: tuple[str, str], inner: str) -> tuple[str, ...]:
    out: list[str] = []
    place = 0
    while place < len(pieces):
        if tuple(pieces[place : place + 2]) == pair:
            out.append(join(pair, inner))
            place += 2
        else:
            out.append(pieces[place])
            place += 1
    return tuple(out)
