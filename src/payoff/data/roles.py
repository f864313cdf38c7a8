"""Roles of columns: which holds the text, the label, the customer, the time, the segment, a pair.

`checked` is the one door through which every table becomes a `payoff.data.dataset.Dataset`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payoff.core.errors import DataError, PayoffError, did_you_mean, raise_all
from payoff.core.pair import SIGN
from payoff.data.readers.cells import column_text

if TYPE_CHECKING:
    import polars as pl

MAX_TEXT_BYTES = 1_000_000
"""Longest text taken, in bytes of UTF-8: about 300 pages, far beyond what any model reads."""
N_NAMED = 5
"""How many bad rows an error names."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the columns that play a part; None where none does.

    ``pair`` is the column of the second text, where two texts are one example.

    Example:
        >>> Roles("message", "intent").named
        {'text': 'message', 'label': 'intent'}
    """

    text: str
    label: str | None = None
    group: str | None = None
    time: str | None = None
    segment: str | None = None
    pair: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """Column by role, of the roles that are given."""
        every = {
            "text": self.text,
            "label": self.label,
            "group": self.group,
            "time": self.time,
            "segment": self.segment,
            "pair": self.pair,
        }
        return {role: column for role, column in every.items() if column is not None}


def columns_of(mine: Roles, theirs: Roles, *, source: str, other: str) -> dict[str, str]:
    """Each of one table's role columns, and the other's that plays the same parts.

    Raises:
        DataError: PF103 where the other lacks a role, or has two columns for the roles of one.

    Example:
        >>> columns_of(Roles("text", "intent"), Roles("body", "y"), source="a", other="b")
        {'text': 'body', 'intent': 'y'}
    """
    lacking = [role for role in mine.named if role not in theirs.named]
    if lacking:
        found = f"it has no {' nor '.join(lacking)} column"
        raise DataError("PF103", other, found, mend="Name it.")
    by_column: dict[str, str] = {}
    for role, column in mine.named.items():  # a column may have two, such as label and segment
        name = theirs.named[role]
        if by_column.setdefault(column, name) != name:
            raise DataError(
                "PF103",
                other,
                f"its {role} is '{name}', beside '{by_column[column]}'",
                expected=f"one column for what '{column}' is in {source}",
            )
    return by_column


def checked(frame: pl.DataFrame, roles: Roles, source: str) -> pl.DataFrame:
    """The frame with its role columns as text without missing cells, or all that is wrong.

    Raises:
        DataError: PF103 a column is not there; PF104 labels differ only by case or white space;
            PF105 a text is too long or holds NUL bytes, or U+001F where there are pairs; PF106 no
            rows; PF107 rows without a label; PF108 a column of lists or bytes.

    Example:
        >>> import polars as pl
        >>> checked(pl.DataFrame({"t": ["hi"], "y": [1.0]}), Roles("t", "y"), "t.csv").rows()
        [('hi', '1')]
    """
    raise_all(_missing_columns(frame, roles, source))
    if not frame.height:
        raise DataError(
            "PF106",
            source,
            "it has a header and no rows" if frame.width else "it has no rows",
            mend="Give a file with labelled texts in it.",
        )
    columns = list(dict.fromkeys(roles.named.values()))
    frame = frame.with_columns(
        [column_text(frame[name], source).fill_null("").alias(name) for name in columns]
    )
    problems = _unusable_texts(frame, roles.text, source)
    if roles.pair is not None:
        problems += _unusable_texts(frame, roles.pair, source)
        problems += _joined_texts(frame, roles, source)
    if roles.label is not None:
        problems += _unlabelled(frame, roles.label, source)
        labels = frame.get_column(roles.label).unique().to_list()
        problems += clashing_labels(labels, source)
    raise_all(problems)
    return frame


def _missing_columns(frame: pl.DataFrame, roles: Roles, source: str) -> list[PayoffError]:
    listed = ", ".join(map(repr, frame.columns[:30])) + (" …" if frame.width > 30 else "")
    return [
        DataError(
            "PF103",
            f"{source} {role}",
            f"there is no column '{column}'",
            expected=f"one of {listed}" if listed else "a table with columns",
            mend=did_you_mean(column, frame.columns) or "Name the column that you mean.",
        )
        for role, column in roles.named.items()
        if column not in frame.columns
    ]


def _unusable_texts(frame: pl.DataFrame, text: str, source: str) -> list[PayoffError]:
    n_bytes = frame.get_column(text).str.len_bytes()
    long = (n_bytes > MAX_TEXT_BYTES).arg_true().to_list()
    nul = frame.get_column(text).str.contains("\0", literal=True).arg_true().to_list()
    problems: list[PayoffError] = []
    if long:
        longest = max(n_bytes.gather(long).to_list())
        problems.append(
            DataError(
                "PF105",
                f"{source} {_rows(long)}",
                f"the text is too long (up to {longest:,} bytes)",
                expected=f"at most {MAX_TEXT_BYTES:,} bytes",
                mend="Cut or split the text.",
            )
        )
    if nul:
        problems.append(
            DataError(
                "PF105",
                f"{source} {_rows(nul)}",
                "the text holds NUL bytes",
                mend="Remove them; they are no characters.",
            )
        )
    return problems


def _joined_texts(frame: pl.DataFrame, roles: Roles, source: str) -> list[PayoffError]:
    assert roles.pair is not None
    holds = [frame.get_column(c).str.contains(SIGN, literal=True) for c in (roles.text, roles.pair)]
    rows = (holds[0] | holds[1]).arg_true().to_list()
    if not rows:
        return []
    return [
        DataError(
            "PF105",
            f"{source} {_rows(rows)}",
            "a text holds U+001F, which joins the texts of a pair",
            mend="Remove it; it is no character that a text needs.",
        )
    ]


def _unlabelled(frame: pl.DataFrame, label: str, source: str) -> list[PayoffError]:
    bare = (frame.get_column(label).str.strip_chars() == "").arg_true().to_list()
    if not bare:
        return []
    return [
        DataError(
            "PF107",
            f"{source} {_rows(bare)}",
            f"{len(bare)} of {frame.height} rows have no label in column '{label}'",
            mend="Remove those rows or label them.",
        )
    ]


def clashing_labels(labels: list[str], source: str) -> list[PayoffError]:
    """A PF104 where labels differ only by case or white space; else nothing.

    Example:
        >>> [problem.found for problem in clashing_labels(["Card", "card ", "loan"], "t.csv")]
        ["labels differ only by case or white space: 'Card' = 'card '"]
    """
    alike: dict[str, list[str]] = {}
    for label in sorted(filter(str.strip, labels)):
        alike.setdefault(folded_label(label), []).append(label)
    clashes = [" = ".join(map(repr, same)) for same in alike.values() if len(same) > 1]
    if not clashes:
        return []
    more = f" and {len(clashes) - N_NAMED} more" if len(clashes) > N_NAMED else ""
    return [
        DataError(
            "PF104",
            source,
            f"labels differ only by case or white space: {'; '.join(clashes[:N_NAMED])}{more}",
            mend="Write every label one way.",
        )
    ]


def folded_label(label: str) -> str:
    """What is left of a label when case and white space are taken out of account.

    Example:
        >>> folded_label(" Card  Lost") == folded_label("card lost")
        True
    """
    return " ".join(unicodedata.normalize("NFC", label).casefold().split())


def _rows(indices: list[int]) -> str:
    """Row numbers as people count them: the first row of data is 1."""
    named = ", ".join(str(i + 1) for i in indices[:N_NAMED])
    more = f" and {len(indices) - N_NAMED} more" if len(indices) > N_NAMED else ""
    return f"{'rows' if len(indices) > 1 else 'row'} {named}{more}"
