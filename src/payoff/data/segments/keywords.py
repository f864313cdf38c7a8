"""Keywords: the terms that tell a segment from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.data.segments.terms import TermTable, is_unspaced

_LEAST_LIFT: Final = 1.5
_LEAST_TEXTS: Final = 3
_CONSIDERED: Final = 60
_SWALLOWED: Final = 0.6


def keywords(
    table: TermTable,
    texts: Sequence[str],
    codes: NDArray[np.int64],
    k: int,
    *,
    most: int = 6,
) -> list[tuple[str, ...]]:
    """The terms of each segment, by a class-based TF-IDF, the most telling first.

    The score of a term is ``p_s · ln(p_s / p)``: the share of the segment's texts that hold it,
    times the logarithm of how much more often they do than all texts. The first factor is the term
    frequency and the second the inverse class frequency of c-TF-IDF (Grootendorst 2022,
    "BERTopic", section 3.3), counted in texts instead of occurrences, so that one long text names
    nothing. A term must be at least 1.5 times as frequent inside; one that stands mostly within a
    longer one, or shares a word with one that was taken, is left out. Where no spaces are written,
    a term must also stand free: neither the character before it nor the one after it is mostly the
    same (the boundary entropy of word discovery, in its simplest form).

    Args:
        table: Terms of the texts.
        texts: The texts, ``n``.
        codes: Segment of each text, 0 to ``k - 1``, shape ``(n,)``.
        k: Number of segments.
        most: Most keywords of a segment.

    Example:
        >>> texts = ["lost my card", "card lost again", "lost card", "refund my order",
        ...          "refund please", "no refund yet"]
        >>> table = TermTable.of(texts)
        >>> keywords(table, texts, np.array([0, 0, 0, 1, 1, 1]), 2, most=2)
        [('card', 'lost'), ('refund',)]
    """
    inside = table.by_segment(codes, k).astype(np.float64)
    sizes = np.maximum(np.bincount(codes, minlength=k), 1).astype(np.float64)
    overall = table.frequencies / max(table.n_texts, 1)
    shares = inside / sizes[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(inside > 0, shares * np.log(shares / overall), 0.0)
    needed = np.minimum(_LEAST_TEXTS, np.maximum(sizes / 2, 1))[:, None]
    telling = (shares >= _LEAST_LIFT * overall) & (inside >= needed)
    scores = np.where(telling, scores, 0.0)
    lowered = [text.lower() for text in texts]
    return [
        _distinct(
            table.terms,
            scores[s],
            inside[s],
            [lowered[i] for i in np.flatnonzero(codes == s)],
            most,
        )
        for s in range(k)
    ]


def _distinct(
    terms: tuple[str, ...],
    scores: NDArray[np.float64],
    inside: NDArray[np.float64],
    texts: list[str],
    most: int,
) -> tuple[str, ...]:
    """The best terms of one segment, none of which repeats another."""
    ranked = np.argsort(-scores, kind="stable")[:_CONSIDERED]
    ranked = ranked[scores[ranked] > 0]
    whole = [i for i in ranked if not _swallowed(i, ranked, terms, inside)]
    taken: list[str] = []
    for i in whole:
        if not any(_overlap(terms[i], other) for other in taken) and _free(terms[i], texts):
            taken.append(terms[i])
        if len(taken) == most:
            break
    return tuple(taken)


def _swallowed(
    i: int, ranked: NDArray[np.int64], terms: tuple[str, ...], inside: NDArray[np.float64]
) -> bool:
    """Whether a term stands mostly within a longer one, as 款申 does within 退款申请."""
    own = terms[i]
    return any(
        len(terms[j]) > len(own) and _within(own, terms[j]) and inside[j] >= _SWALLOWED * inside[i]
        for j in ranked
    )


def _within(short: str, long: str) -> bool:
    return short in long if is_unspaced(short) else short in long.split()


def _free(term: str, texts: list[str]) -> bool:
    """Whether a term of an unspaced script is whole: what stands beside it changes."""
    if not is_unspaced(term):
        return True
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    n = 0
    for text in texts:
        place = text.find(term)
        if place >= 0:
            n += 1
            before.update(filter(is_unspaced, text[max(place - 1, 0) : place]))
            after.update(filter(is_unspaced, text[place + len(term) : place + len(term) + 1]))
    most = max((*before.values(), *after.values()), default=0)
    return n < 3 or most <= _SWALLOWED * n


def _overlap(one: str, other: str) -> bool:
    """Whether two terms share a word, or two neighbouring characters of an unspaced script."""
    if is_unspaced(one) and is_unspaced(other):
        pairs = {other[i : i + 2] for i in range(len(other) - 1)}
        return any(one[i : i + 2] in pairs for i in range(len(one) - 1))
    return bool(_stems(one) & _stems(other))


def _stems(term: str) -> set[str]:
    """The words of a term without the endings that mark a plural in many languages."""
    words = term.replace("-", " ").split()
    return {re.sub("ies$", "y", word).removesuffix("'s").removesuffix("s") for word in words}
