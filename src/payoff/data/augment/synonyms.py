"""Words replaced by others of the same meaning, from a table that the user gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import DataError
from payoff.data.augment.augmenter import check_share

if TYPE_CHECKING:
    import numpy as np

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Characters of scripts that put no space between words: Japanese kana and Chinese."""
_PIECES = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|\s+|.", re.DOTALL)
_COLUMNS = ("word", "synonym")
_NAMED = 5

Match = tuple[int, int, Sequence[str]]


@dataclass(frozen=True)
class Synonyms:
    """Replaces words that a table has by their synonyms, in the direction of the table.

    Words are found whole and in any case; an entry may be of several words. In Chinese and
    Japanese, where words are not set apart, the longest entry that fits is taken.

    Args:
        table: Synonyms of each word.
        share: Words replaced over the words of a text (over characters, where words are not set
            apart); at least one where the table has any.

    Raises:
        DataError: PF113 where the table has no entry or an empty one, or ``share`` is not above 0
            and at most 1.

    Example:
        >>> import numpy as np
        >>> table = Synonyms({"credit card": ["card"], "退款": ["退钱"]})
        >>> table.augment(["My Credit card?", "怎么退款"], np.random.default_rng(0))
        ['My Card?', '怎么退钱']
    """

    table: Mapping[str, Sequence[str]]
    share: float = 0.1

    def __post_init__(self) -> None:
        check_share(self.name, self.share)
        if not self.table:
            raise DataError("PF113", self.name, "the table has no entry")
        for word, synonyms in self.table.items():
            if not word.strip() or not synonyms or not all(s.strip() for s in synonyms):
                raise DataError(
                    "PF113",
                    f"{self.name}, word '{word}'",
                    "the word is empty, or a synonym of it is, or it has none",
                )

    @property
    def name(self) -> str:
        """Not registered, since it needs a table."""
        return "synonyms"

    @classmethod
    def from_csv(cls, path: Path | str, *, share: float = 0.1) -> Synonyms:
        r"""Read a table with the columns ``word`` and ``synonym``, one pair a row.

        Raises:
            DataError: PF101 or PF102 where the file is missing or unreadable; PF103 where a column
                is missing; PF105 where a cell is empty; PF106 where there is no row.
            MachineError: PF803 where the extra ``data`` is not installed.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "synonyms.csv")
            ...     _ = path.write_text("word,synonym\nparcel,package\n", "utf-8")
            ...     dict(Synonyms.from_csv(path).table)
            {'parcel': ['package']}
        """
        table: dict[str, list[str]] = {}
        for word, synonym in _read_pairs(Path(path)):
            table.setdefault(word, []).append(synonym)
        return cls(table, share)

    def augment(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Each text with some of its words replaced."""
        return [self._replaced(text, rng) for text in texts]

    @cached_property
    def _entries(self) -> dict[tuple[str, ...], list[str]]:
        entries: dict[tuple[str, ...], list[str]] = {}
        for word, synonyms in self.table.items():
            entries.setdefault(_key(_PIECES.findall(word.strip())), []).extend(synonyms)
        return entries

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._entries))

    def _replaced(self, text: str, rng: np.random.Generator) -> str:
        pieces: list[str] = _PIECES.findall(text)
        matches = self._matches(_key(pieces))
        if not matches:
            return text
        n_words = sum(piece[0].isalnum() for piece in pieces)
        n_replaced = min(len(matches), max(1, round(self.share * n_words)))
        chosen = rng.choice(len(matches), n_replaced, replace=False)
        for index in sorted(chosen, reverse=True):  # from the end, so that places stay right
            start, stop, synonyms = matches[index]
            synonym = synonyms[rng.integers(len(synonyms))]
            if pieces[start][0].isupper():
                synonym = synonym[0].upper() + synonym[1:]
            pieces[start:stop] = [synonym]
        return "".join(pieces)

    def _matches(self, key: tuple[str, ...]) -> list[Match]:
        """Entries in a text from its start, the longest first; none overlaps another."""
        found: list[Match] = []
        start = 0
        while start < len(key):
            for stop in range(min(len(key), start + self._longest), start, -1):
                synonyms = self._entries.get(key[start:stop])
                if synonyms:
                    found.append((start, stop, synonyms))
                    start = stop
                    break
            else:
                start += 1
        return found


def _key(pieces: Sequence[str]) -> tuple[str, ...]:
    """What makes two pieces of text the same: neither case nor kind of white space."""
    return tuple(" " if piece.isspace() else piece.casefold() for piece in pieces)


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    from payoff.data.readers.delimited import read_delimited

    frame = read_delimited(path, _COLUMNS).frame
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(
            "PF103",
            f"{path} [{', '.join(missing)}]",
            f"the columns are {', '.join(frame.columns)}",
            expected=" and ".join(_COLUMNS),
        )
    if not frame.height:
        raise DataError("PF106", str(path), "it has no row", mend="Add pairs of words.")
    pairs = [
        (word.strip(), synonym.strip()) for word, synonym in frame.select(_COLUMNS).iter_rows()
    ]
    empty = [str(row) for row, pair in enumerate(pairs, start=1) if not all(pair)]
    if empty:
        more = f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else ""
        raise DataError(
            "PF105",
            f"{path} row {', '.join(empty[:_NAMED])}{more}",
            "the word or its synonym is empty",
            mend="Fill in both cells, or remove the row.",
        )
    return pairs
