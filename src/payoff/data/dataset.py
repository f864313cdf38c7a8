"""The data set: labelled texts with where they came from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.core.errors import DataError, did_you_mean
from payoff.core.pair import SIGN
from payoff.data.readers.source import Reading
from payoff.data.roles import Roles, checked, columns_of

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

_HASH_BATCH = 50_000
ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Texts, usually with labels, as rows of one table. Make it with a ``from_…`` method.

    Every cell of a role column is text: a label 1 is ``"1"`` in whatever format it came, and a
    missing text is an empty one. Nothing is stripped, merged or dropped on reading.

    Attributes:
        frame: The table, all columns of the source.
        text: Name of the column of texts.
        label: Name of the column of labels, or None.
        group: Name of the column whose rows belong together (the customer), or None.
        time: Name of the column that orders the rows, or None.
        segment: Name of the column of customer segments, or None.
        out_of_scope: The label that stands for "none of the others"; a class like any other.
        source: File name as the user gave it.
        rows: Row numbers in the source, shape ``(n,)``; the first row of data is 1.
        notes: What was assumed on reading and not said by the user.
        pair: Name of the column of second texts, or None.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"message": ["lost card", "refund?"], "intent": ["card", "money"]})
        >>> tickets = Dataset.from_frame(table, text="message", label="intent")
        >>> len(tickets), tickets.labels, tickets.take([1]).texts
        (2, ('card', 'money'), ['refund?'])
    """

    frame: pl.DataFrame
    text: str
    label: str | None
    group: str | None
    time: str | None
    segment: str | None
    out_of_scope: str | None
    source: str
    rows: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    pair: str | None = None

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> Dataset:
        """Read a delimited text file with a header row.

        Args:
            path: The file; it is opened once.
            text: Column of texts.
            label: Column of labels; None reads unlabelled texts.
            group: Column whose equal values never stand on both sides of a split.
            time: Column that orders the rows: ISO 8601 dates or numbers.
            segment: Column of customer segments.
            pair: Column of second texts, where two texts are one example: a question and an
                answer, say.
            out_of_scope: Label that stands for "none of the others".
            delimiter: One character; None finds it among comma, semicolon, tab and bar.
            encoding: Codec; None finds it (UTF-8, UTF-16, GB18030, Windows-1252). What was
                guessed stands in ``notes``.

        Raises:
            DataError: PF101 to PF108, which ``docs/errors.md`` explains.
        """
        from payoff.data.readers.delimited import read_delimited

        roles = Roles(text, label, group, time, segment, pair)
        wanted = tuple(roles.named.values())
        reading = read_delimited(Path(path), wanted, delimiter=delimiter, encoding=encoding)
        return cls._of(reading, roles, out_of_scope, str(path))

    @classmethod
    def from_parquet(
        cls,
        path: str | os.PathLike[str],
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
    ) -> Dataset:
        """Read a Parquet file; arguments as for `from_csv`."""
        from payoff.data.readers.tables import read_parquet

        roles = Roles(text, label, group, time, segment, pair)
        return cls._of(read_parquet(Path(path)), roles, out_of_scope, str(path))

    @classmethod
    def from_jsonl(
        cls,
        path: str | os.PathLike[str],
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
    ) -> Dataset:
        """Read JSON lines, one object a line; arguments as for `from_csv`."""
        from payoff.data.readers.json_lines import read_json_lines

        roles = Roles(text, label, group, time, segment, pair)
        return cls._of(read_json_lines(Path(path)), roles, out_of_scope, str(path))

    @classmethod
    def from_excel(
        cls,
        path: str | os.PathLike[str],
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
    ) -> Dataset:
        """Read the first sheet of a workbook (extra ``excel``); arguments as for `from_csv`."""
        from payoff.data.readers.tables import read_excel

        roles = Roles(text, label, group, time, segment, pair)
        return cls._of(read_excel(Path(path)), roles, out_of_scope, str(path))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
        source: str = "frame",
    ) -> Dataset:
        """Take a DataFrame of polars (also lazy) or pandas; other arguments as for `from_csv`.

        ``source`` is what errors and findings call the table.
        """
        from payoff.data.readers.tables import as_frame

        roles = Roles(text, label, group, time, segment, pair)
        return cls._of(Reading(as_frame(frame, source), ()), roles, out_of_scope, source)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        text: str,
        label: str | None = None,
        group: str | None = None,
        time: str | None = None,
        segment: str | None = None,
        pair: str | None = None,
        out_of_scope: str | None = None,
    ) -> Dataset:
        """Read a file by its ending; arguments as for `from_csv`.

        Raises:
            DataError: PF102 where the ending is none of those that payoff reads.
        """
        ending = Path(path).suffix.lower()
        roles = Roles(text, label, group, time, segment, pair)
        names: dict[str, Any] = roles.named | {"out_of_scope": out_of_scope}
        readers: dict[str, Callable[..., Dataset]] = {
            "csv": cls.from_csv,
            "parquet": cls.from_parquet,
            "jsonl": cls.from_jsonl,
            "excel": cls.from_excel,
        }
        kind = ENDINGS.get(ending)
        if kind is None:
            raise DataError(
                "PF102",
                str(path),
                f"files ending in '{ending}' are not read" if ending else "it has no ending",
                expected=f"one of {', '.join(ENDINGS)}",
                mend="Save the table as CSV in UTF-8.",
            )
        if kind == "tsv":
            return cls.from_csv(path, delimiter="\t", **names)
        return readers[kind](path, **names)

    @classmethod
    def _of(cls, reading: Reading, roles: Roles, out_of_scope: str | None, source: str) -> Dataset:
        frame = checked(reading.frame, roles, source)
        return cls(
            frame,
            roles.text,
            roles.label,
            roles.group,
            roles.time,
            roles.segment,
            out_of_scope,
            source,
            rows=np.arange(1, frame.height + 1, dtype=np.int64),
            notes=reading.notes,
            pair=roles.pair,
        )

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        classes = f", {len(self.labels)} labels" if self.label is not None else ""
        return f"Dataset({self.source}: {len(self)} rows{classes})"

    @property
    def roles(self) -> Roles:
        """Names of the columns that play a part."""
        return Roles(self.text, self.label, self.group, self.time, self.segment, self.pair)

    @cached_property
    def texts(self) -> list[str]:
        """The texts, row by row; a pair is joined by U+001F, see `payoff.core.pair`."""
        first = self.frame.get_column(self.text).to_list()
        if self.pair is None:
            return first
        return [a + SIGN + b for a, b in zip(first, self.column("pair"), strict=True)]

    @cached_property
    def targets(self) -> list[str]:
        """The label of each row.

        Raises:
            DataError: PF103 where no label column was named.
        """
        return self.frame.get_column(self._label_column()).to_list()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted.

        Raises:
            DataError: PF103 where no label column was named.
        """
        return tuple(sorted(self.frame.get_column(self._label_column()).unique().to_list()))

    def column(self, role: str) -> list[str]:
        """The values of one role, such as ``"group"``, ``"time"``, ``"segment"`` or ``"pair"``.

        Raises:
            DataError: PF103 where no column plays that role.
        """
        name = self.roles.named.get(role)
        if name is None:
            raise DataError(
                "PF103", self.source, f"no {role} column was named", mend=f"Say {role}=."
            )
        return self.frame.get_column(name).to_list()

    def codes(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Position of each row's label in ``labels``, shape ``(n,)``.

        Raises:
            DataError: PF104 where a row has a label that is not among them.
        """
        place = {label: i for i, label in enumerate(labels)}
        unknown = [label for label in self.labels if label not in place]
        if unknown:
            raise DataError(
                "PF104",
                self.source,
                f"{len(unknown)} labels are not known: {', '.join(map(repr, unknown[:5]))}",
                expected=f"labels among {', '.join(map(repr, list(labels)[:20]))}",
                mend=did_you_mean(unknown[0], labels) or "Correct them, or train with them.",
            )
        return np.fromiter((place[label] for label in self.targets), np.int64, len(self))

    def take(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> Dataset:
        """The rows at these positions (from 0), in this order."""
        import polars as pl

        chosen = np.asarray(indices, dtype=np.int64)
        frame = self.frame.select(pl.all().gather(chosen))
        return replace(self, frame=frame, rows=self.rows[chosen])

    def concat(self, other: Dataset) -> Dataset:
        """These rows, then the other's, by role; other columns are kept where they agree in kind.

        Raises:
            DataError: PF103 where a role of this data set is missing in the other, or two roles
                that are one column here are two columns there.
        """
        import polars as pl

        by_column = columns_of(self.roles, other.roles, source=self.source, other=other.source)
        renamed = other.frame.select(
            [pl.col(name).alias(column) for column, name in by_column.items()]
            + [
                pl.col(name)
                for name, kind in self.frame.schema.items()
                if name not in by_column and other.frame.schema.get(name) == kind
            ]
        )
        source = self.source if self.source == other.source else f"{self.source} + {other.source}"
        return replace(
            self,
            frame=pl.concat([self.frame, renamed], how="diagonal"),
            source=source,
            rows=np.concatenate([self.rows, other.rows]),
            notes=tuple(dict.fromkeys(self.notes + other.notes)),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the role columns' values in row order, and the out-of-scope label.

        The same rows give the same fingerprint from whatever file format and under whatever
        column names they came.
        """
        digest = hashlib.sha256(f"payoff-data-1\n{self.out_of_scope!r}\n".encode())
        for role, column in self.roles.named.items():
            digest.update(f"{role} {len(self)}\n".encode())
            values = self.frame.get_column(column)
            for start in range(0, len(self), _HASH_BATCH):
                batch = [value.encode() for value in values[start : start + _HASH_BATCH]]
                digest.update(np.array([len(value) for value in batch], dtype="<u8").tobytes())
                digest.update(b"".join(batch))
        return digest.hexdigest()

    def _label_column(self) -> str:
        if self.label is None:
            raise DataError(
                "PF103",
                self.source,
                "no label column was named",
                mend="Say label=, or --label COL.",
            )
        return self.label
