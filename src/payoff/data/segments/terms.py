"""Terms of texts: words, pairs of words, and n-grams where a script writes no spaces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.data.segments.function_words import FUNCTION_WORDS, NOT_FIRST, NOT_LAST

_UNSPACED: Final = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECES = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:['-][^\W_{_UNSPACED}]+)*")
_CLAUSES = re.compile(r"[.,;:!?()\n\r。，、；：！？…~～]+")
_PARTICLES = re.compile("[的了]")
_LONGEST: Final = 4


def terms_of(text: str) -> list[str]:
    """Words and pairs of neighbouring words; 2- to 4-grams of characters in an unspaced script.

    Chinese, Japanese, Thai and Lao are written without spaces; no dictionary of words is needed
    for them, since a word that repeats shows itself as an n-gram that repeats. Function words and
    single signs are left out, and pairs and n-grams do not reach across them nor across
    punctuation. The text is taken in lower case.

    Example:
        >>> terms_of("I lost my bank card, help")
        ['lost', 'bank', 'card', 'bank card', 'help']
        >>> terms_of("很好吃的面!")
        ['好吃']
    """
    found: list[str] = []
    for clause in _CLAUSES.split(text.lower().replace("’", "'")):
        before = ""
        for piece in _PIECES.findall(clause):
            if is_unspaced(piece):
                found += _grams(piece)
                before = ""
            elif len(piece) == 1 or piece.isdigit() or piece in FUNCTION_WORDS:
                before = ""
            else:
                found.append(piece)
                if before:
                    found.append(f"{before} {piece}")
                before = piece
    return found


def _grams(run: str) -> list[str]:
    """The 2- to 4-grams of an unspaced run that neither begin nor end with a function word."""
    return [
        part[i : i + n]
        for part in _PARTICLES.split(run)
        for n in range(2, _LONGEST + 1)
        for i in range(len(part) - n + 1)
        if part[i] not in NOT_FIRST and part[i + n - 1] not in NOT_LAST
    ]


def is_unspaced(term: str) -> bool:
    """Whether a term is of a script that writes no spaces.

    Example:
        >>> is_unspaced("退款"), is_unspaced("refund")
        (True, False)
    """
    return bool(re.match(rf"[{_UNSPACED}]", term))


@dataclass(frozen=True, eq=False, slots=True)
class TermTable:
    """Which terms occur in which texts, as sparse rows. Make it with `of`.

    Args:
        terms: The terms in the order of the alphabet, ``m``.
        starts: Where each text's columns begin in ``columns``, shape ``(n + 1,)``.
        columns: Indices into ``terms``, ascending within a text, each once.
        counts: How often the term occurs in the text, as ``columns``.

    Example:
        >>> table = TermTable.of(["lost card", "lost pin", "a pin"], least=2)
        >>> table.terms, table.frequencies.tolist()
        (('lost', 'pin'), [2, 2])
    """

    terms: tuple[str, ...]
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str], *, least: int = 2, most: int = 20_000) -> TermTable:
        """Count the terms that occur in at least ``least`` texts, at most ``most`` of them.

        Args:
            texts: ``n`` texts.
            least: Fewest texts that a term must occur in.
            most: Most terms; those in the most texts are kept, of equals the first by alphabet.
        """
        counted = [Counter(terms_of(text)) for text in texts]
        spread: Counter[str] = Counter()
        for counter in counted:
            spread.update(counter.keys())
        kept = sorted((t for t, n in spread.items() if n >= least), key=lambda t: (-spread[t], t))
        terms = tuple(sorted(kept[:most]))
        place = {term: i for i, term in enumerate(terms)}
        starts, columns, counts = [0], [], []
        for counter in counted:
            row = sorted((place[t], n) for t, n in counter.items() if t in place)
            columns += [column for column, _ in row]
            counts += [n for _, n in row]
            starts.append(len(columns))
        return cls(terms, *(np.array(part, dtype=np.int64) for part in (starts, columns, counts)))

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return len(self.starts) - 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """The text of each entry, as ``columns``."""
        return np.repeat(np.arange(self.n_texts), np.diff(self.starts))

    @property
    def frequencies(self) -> NDArray[np.int64]:
        """In how many texts each term occurs, shape ``(m,)``."""
        return np.bincount(self.columns, minlength=len(self.terms))

    def by_segment(self, codes: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """In how many texts of each segment a term occurs, shape ``(k, m)``."""
        m = len(self.terms)
        cells = codes[self.owners] * m + self.columns
        return np.bincount(cells, minlength=k * m).reshape(k, m)
