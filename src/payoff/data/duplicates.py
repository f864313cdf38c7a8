"""Texts that say the same: exactly after normalising, or nearly.

Two texts are *alike* where `normalise` makes them equal. Two texts are *near* where the sets of
their character 5-grams, after normalising, have a Jaccard similarity of at least `NEAR`.

Near pairs are found by prefix filtering (Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant
2007, section 3): sets that are similar enough must share one of their rarest elements, so only
texts that share a rare 5-gram are compared. Nothing is missed but in two cases, which are told in
`NearPairs.note`: a text of more 5-grams than a limit is represented by those with the smallest
hashes (a bottom-k sketch, Broder 1997), and 5-grams that too many texts share are not followed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

NEAR = 0.9
"""Jaccard similarity from which two texts are near."""
N_CHARACTERS = 5
"""Length of the character n-grams compared."""

_MAX_GRAMS = 1000
_MIN_GRAMS = 100
_ALL_GRAMS = 30_000_000
_MAX_PAIRS = 20_000_000
_PAIR_BATCH = 200_000
_MAX_MEMBERS = 1_400
_BLOCK = 1 << 12
_HASH_BITS = 44
_ID_BITS = 32
_SKETCH_BITS = 512
_BETWEEN_CHINESE = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff]) (?=[\u3040-\u30ff\u3400-\u9fff])")
_APOSTROPHES = "'\u2019\u02bc`"


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Pairs of distinct normalised texts that are near.

    Attributes:
        pairs: Positions, shape ``(n_pairs, 2)``, the smaller first, sorted.
        note: What was not compared in full; empty where everything was.
        complete: False where some 5-grams were not followed, so that pairs may be missing.

    Example:
        >>> NearPairs(np.array([[0, 1]])).note
        ''
    """

    pairs: Ints
    note: str = ""
    complete: bool = True


@cache
def _marks() -> dict[int, str]:
    """Translation of punctuation, separators and controls to spaces, apostrophes to nothing."""
    points = range(0x20000)
    table = {p: " " for p in points if unicodedata.category(chr(p))[0] in "PZ"}
    return table | dict.fromkeys(range(32), " ") | {ord(mark): "" for mark in _APOSTROPHES}


def normalise(text: str) -> str:
    """The text without case, punctuation and surplus white space, in Unicode form NFKC.

    Symbols and emoji stay. A text of punctuation alone is only stripped, so that ``"!"`` and
    ``"?"`` differ.

    Example:
        >>> normalise("  Where's my CARD?!  ") == normalise("wheres my card")
        True
        >>> normalise("好，吃！"), normalise("?!")
        ('好吃', '?!')
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = " ".join(folded.translate(_marks()).split())
    if not words:
        return folded.strip()
    return words if words.isascii() else _BETWEEN_CHINESE.sub("", words)


def alike(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The distinct normalised texts in order of appearance, and each text's place among them.

    Returns:
        The distinct keys, and places of shape ``(n_texts,)``.

    Example:
        >>> keys, place = alike(["Hi!", "bye", "hi"])
        >>> keys, place.tolist()
        (['hi', 'bye'], [0, 1, 0])
    """
    places: dict[str, int] = {}
    place = np.empty(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        place[i] = places.setdefault(normalise(text), len(places))
    return list(places), place


def near_pairs(keys: Sequence[str], *, threshold: float = NEAR) -> NearPairs:
    """Find the near pairs among distinct normalised texts.

    Args:
        keys: Distinct normalised texts.
        threshold: Least Jaccard similarity of the sets of 5-grams, in (0.5, 1].

    Example:
        >>> base = "please tell me where the parcel of my order from last monday is now"
        >>> near_pairs([base, base + "s", "something else"]).pairs.tolist()
        [[0, 1]]
    """
    limit = max(_MIN_GRAMS, min(_MAX_GRAMS, _ALL_GRAMS // max(1, len(keys))))
    grams, starts, n_sketched = _gram_ids(keys, limit)
    found: list[Ints] = []
    groups = _Prefixes(grams, starts, threshold)
    for left, right in groups.candidates():
        found.append(_verified(left, right, grams, starts, threshold))
    pairs = np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)
    notes = []
    if n_sketched:
        notes.append(f"{n_sketched} long texts were compared by a sample of {limit} 5-grams")
    if groups.n_skipped:
        notes.append(f"{groups.n_skipped} 5-grams that many texts share were not followed")
    return NearPairs(pairs, "; ".join(notes), complete=not groups.n_skipped)


def clusters(n: int, pairs: Ints) -> Ints:
    """Number of the connected component of each of ``n`` nodes, shape ``(n,)``.

    A component is numbered by its smallest node.

    Example:
        >>> clusters(4, np.array([[0, 2], [2, 3]])).tolist()
        [0, 1, 0, 0]
    """
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in pairs.tolist():
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.fromiter((root(i) for i in range(n)), np.int64, n)


def touching(marked: NDArray[np.bool_], pairs: Ints) -> NDArray[np.bool_]:
    """Which nodes are marked or paired with a marked one, shape as ``marked``.

    Example:
        >>> touching(np.array([True, False, False]), np.array([[0, 2]])).tolist()
        [True, False, True]
    """
    touched = marked.copy()
    touched[pairs[marked[pairs[:, 1]], 0]] = True
    touched[pairs[marked[pairs[:, 0]], 1]] = True
    return touched


def _gram_ids(keys: Sequence[str], limit: int) -> tuple[Ints, Ints, int]:
    """Each text's set of 5-grams as ids that grow with frequency, ascending: rarest first.

    Returns:
        Ids of all texts end to end, where each text starts in them (one more than texts), and
        how many texts were cut to a sketch.
    """
    blocks = [_hashes(keys[i : i + _BLOCK], limit) for i in range(0, len(keys), _BLOCK)]
    hashes = np.concatenate([block[0] for block in blocks] or [np.empty(0, np.int64)])
    sizes = np.concatenate([block[1] for block in blocks] or [np.empty(0, np.int64)])
    _, place, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    # Text and id in one integer sort much faster than by two keys.
    joint = (np.repeat(np.arange(len(keys)), sizes) << _ID_BITS) | rank[place]
    joint.sort()
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return joint & ((1 << _ID_BITS) - 1), starts, sum(block[2] for block in blocks)


def _hashes(keys: Sequence[str], limit: int) -> tuple[Ints, Ints, int]:
    """Distinct 44-bit hashes of each key's 5-grams, end to end, at most ``limit`` of a key.

    Returns:
        Hashes, ascending within a key; how many each key has; how many keys were cut.
    """
    padded = [key.ljust(N_CHARACTERS, "\0") for key in keys]
    lengths = np.array([len(key) for key in padded], dtype=np.int64)
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    n_grams = lengths - N_CHARACTERS + 1
    begin = np.repeat(np.cumsum(lengths) - lengths, n_grams) + _ramp(n_grams)
    mixed = np.zeros(len(begin), dtype=np.uint64)
    for offset in range(N_CHARACTERS):
        mixed = (mixed + points[begin + offset]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(31)
    owner = np.repeat(np.arange(len(keys)), n_grams)
    joint = (owner << _HASH_BITS) | (mixed >> np.uint64(64 - _HASH_BITS)).astype(np.int64)
    joint = np.unique(joint)
    owner = joint >> _HASH_BITS
    sizes = np.bincount(owner, minlength=len(keys)).astype(np.int64)
    kept = _ramp(sizes) < limit
    hashes = joint[kept] & ((1 << _HASH_BITS) - 1)
    return hashes, np.minimum(sizes, limit), int((sizes > limit).sum())


class _Prefixes:
    """Candidate pairs: texts that share one of their rarest 5-grams and may be near.

    A sketch of `_SKETCH_BITS` bits a text, one set for each 5-gram, discards most of the pairs
    that are not near: bits that one text has and the other lacks are 5-grams that it lacks.

    Args:
        grams: Ids of all texts' 5-grams end to end, rarest first in each text.
        starts: Where each text starts.
        threshold: Least Jaccard similarity.
    """

    def __init__(self, grams: Ints, starts: Ints, threshold: float) -> None:
        self._size = np.diff(starts)
        self._bits = _sketches(grams, starts)
        self._threshold = threshold
        self.n_skipped = 0
        # A near set shares at least ceil(t * size) elements, so it cannot miss the first ones.
        width = self._size - np.ceil(threshold * self._size - 1e-9).astype(np.int64) + 1
        width = np.minimum(width, self._size)
        owner = np.repeat(np.arange(len(width)), width)
        position = np.arange(len(owner)) - np.repeat(np.cumsum(width) - width, width)
        gram = grams[np.repeat(starts[:-1], width) + position]
        order = np.lexsort((self._size[owner], gram))
        self._owner, self._position, gram = owner[order], position[order], gram[order]
        edges = np.flatnonzero(np.diff(gram, prepend=-1, append=-1))
        self._first, self._n_members = edges[:-1], np.diff(edges)

    def candidates(self) -> Iterator[tuple[Ints, Ints]]:
        """Batches of pairs of positions, groups of few members first."""
        several = np.flatnonzero(self._n_members > 1)
        n_groups = len(several)
        several = several[self._n_members[several] <= _MAX_MEMBERS]
        several = several[np.argsort(self._n_members[several], kind="stable")]
        n_pairs = self._n_members[several] * (self._n_members[several] - 1) // 2
        total = np.cumsum(n_pairs)
        kept = int(np.searchsorted(total, _MAX_PAIRS, side="right"))
        self.n_skipped = n_groups - kept
        start = 0
        while start < kept:
            done = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, done + _PAIR_BATCH, side="right")))
            stop = min(stop, kept)
            yield self._pairs(several[start:stop])
            start = stop

    def _pairs(self, groups: Ints) -> tuple[Ints, Ints]:
        first, n_members = self._first[groups], self._n_members[groups]
        entry = np.repeat(first, n_members) + _ramp(n_members)
        after = np.repeat(n_members, n_members) - 1 - _ramp(n_members)
        left = np.repeat(entry, after)
        right = left + 1 + _ramp(after)
        a, b = self._owner[left], self._owner[right]
        size_a, size_b = self._size[a], self._size[b]
        t = self._threshold
        needed = np.ceil(t / (1 + t) * (size_a + size_b) - 1e-9)
        rest = np.minimum(size_a - self._position[left], size_b - self._position[right])
        first_shared = np.minimum(self._position[left], self._position[right])
        fits = (size_a >= t * size_b - 1e-9) & (rest + first_shared >= needed)
        a, b, needed = a[fits], b[fits], needed[fits]
        bits_a, bits_b = self._bits[a], self._bits[b]
        fits = _count_bits(bits_a & ~bits_b) <= self._size[a] - needed
        fits &= _count_bits(bits_b & ~bits_a) <= self._size[b] - needed
        a, b = a[fits], b[fits]
        return np.minimum(a, b), np.maximum(a, b)


def _sketches(grams: Ints, starts: Ints) -> NDArray[np.uint64]:
    """A bit for each 5-gram of a text, shape ``(n_texts, _SKETCH_BITS / 64)``."""
    n_texts = len(starts) - 1
    words = np.zeros((n_texts, _SKETCH_BITS // 64), dtype=np.uint64)
    # Ids are ranks, so that neighbours would share a bit by frequency; a multiplication mixes them.
    place = (grams * 0x9E3779B1 >> 16) % _SKETCH_BITS
    for first in range(0, n_texts, _BLOCK):
        last = min(first + _BLOCK, n_texts)
        bits = np.zeros((last - first, _SKETCH_BITS), dtype=bool)
        owner = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))
        bits[owner, place[starts[first] : starts[last]]] = True
        words[first:last] = np.packbits(bits, axis=1).view(np.uint64)
    return words


def _count_bits(words: NDArray[np.uint64]) -> Ints:
    """Bits set in each row (Warren 2012, section 5-1); numpy has a function for it since 2.0."""
    pairs, nibbles = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    octets, ones = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    words = words - ((words >> np.uint64(1)) & pairs)
    words = (words & nibbles) + ((words >> np.uint64(2)) & nibbles)
    words = (words + (words >> np.uint64(4))) & octets
    counts: Ints = ((words * ones) >> np.uint64(56)).sum(axis=1, dtype=np.int64)
    return counts


def _ramp(lengths: Ints) -> Ints:
    """0 … length-1 for each length, end to end."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _verified(left: Ints, right: Ints, grams: Ints, starts: Ints, threshold: float) -> Ints:
    """Those pairs whose similarity reaches the threshold, shape ``(n_pairs, 2)``."""
    pairs = np.unique(np.stack([left, right], axis=1), axis=0)
    kept = []
    owner, own = -1, frozenset[int]()
    for a, b in pairs.tolist():
        if a != owner:
            owner, own = a, frozenset(grams[starts[a] : starts[a + 1]].tolist())
        other = grams[starts[b] : starts[b + 1]].tolist()
        shared = len(own.intersection(other))
        if shared >= threshold * (len(own) + len(other) - shared) - 1e-9:
            kept.append((a, b))
    return np.array(kept, dtype=np.int64).reshape(-1, 2)
