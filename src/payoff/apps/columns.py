"""A guess at which columns hold the texts and the labels, for `payoff init` to propose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import DataError
from payoff.data.readers.source import Reading

if TYPE_CHECKING:
    import polars as pl

_TEXT_NAMES = ("text", "message", "question", "query", "body", "utterance", "review", "content")
_LABEL_NAMES = ("label", "intent", "category", "class", "topic", "queue", "target", "type")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a data file, and which two seem to matter.

    Args:
        names: All columns, in the order of the file.
        text: The column that seems to hold the texts; empty where none does.
        label: The column that seems to hold the labels; empty where none does.
        n_rows: Rows of the file.
    """

    names: tuple[str, ...]
    text: str
    label: str
    n_rows: int


def read_columns(path: Path) -> Columns:
    """Read a data file and guess at its columns.

    Raises:
        DataError: PF101 or PF102 where the file cannot be read.
    """
    frame = reader_of(path)(path).frame
    text, label = guess(frame)
    return Columns(tuple(frame.columns), text, label, frame.height)


def guess(frame: pl.DataFrame) -> tuple[str, str]:
    """Names of the text and the label column; empty where nothing fits.

    A known name counts first. Else the texts are the column with the longest cells, and the
    labels the column with the fewest different values that still repeat.

    Example:
        >>> import polars as pl
        >>> guess(pl.DataFrame({"id": ["1", "2", "3"], "said": ["where is my card", "hi", "bye"],
        ...                     "kind": ["card", "other", "other"]}))
        ('said', 'kind')
    """
    import polars as pl

    plain = [
        name
        for name, kind in frame.schema.items()
        if not kind.is_nested() and kind not in (pl.Binary, pl.Object, pl.Duration)
    ]
    as_text = frame.select(pl.col(plain).cast(pl.String, strict=False).fill_null(""))
    lengths = {c: float(as_text[c].str.len_chars().mean() or 0) for c in as_text.columns}  # type: ignore[arg-type]
    different = {c: as_text[c].n_unique() for c in as_text.columns}
    text = _named(frame, _TEXT_NAMES) or max(lengths, key=lambda c: lengths[c], default="")
    repeating = [c for c in as_text.columns if c != text and 1 < different[c] < frame.height]
    label = _named(frame, _LABEL_NAMES, skip=text) or min(
        repeating, key=lambda c: different[c], default=""
    )
    return text, label


def _named(frame: pl.DataFrame, known: tuple[str, ...], *, skip: str = "") -> str:
    by_lower = {column.lower(): column for column in frame.columns if column != skip}
    return next((by_lower[name] for name in known if name in by_lower), "")


def reader_of(path: Path) -> Callable[[Path], Reading]:
    """The reader of tables that the ending of a file asks for.

    Raises:
        DataError: PF102 where files of that ending are not read.
    """
    from payoff.data.dataset import ENDINGS
    from payoff.data.readers.delimited import read_delimited
    from payoff.data.readers.json_lines import read_json_lines
    from payoff.data.readers.tables import read_excel, read_parquet

    def delimited(path: Path) -> Reading:
        return read_delimited(path, (), delimiter="\t" if path.suffix.lower() == ".tsv" else None)

    readers: dict[str, Callable[[Path], Reading]] = {
        "csv": delimited,
        "tsv": delimited,
        "parquet": read_parquet,
        "jsonl": read_json_lines,
        "excel": read_excel,
    }
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise DataError(
            "PF102",
            str(path),
            f"files ending in '{path.suffix}' are not read",
            expected=f"one of {', '.join(ENDINGS)}",
        )
    return readers[kind]
