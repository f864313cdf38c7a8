"""CSV and its kin: quoted newlines kept, ragged rows told, every cell as text.

The standard library's parser is used rather than that of polars: it tells the row of every
fault, never pads a short row, and takes quoted newlines in any file. Rows are handed to polars in
batches, so that beside the file's bytes only one copy of the table is in memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import DataError
from payoff.data.readers.cells import text_series
from payoff.data.readers.encoding import detect_encoding
from payoff.data.readers.source import Reading, read_source, refuse_binary

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_BATCH = 20_000
_NAMED = 5
_SAMPLE_BYTES = 1 << 16
_SAMPLE_ROWS = 50
_FIELD_LIMIT = 2**31 - 1


def read_delimited(
    path: Path,
    wanted: Sequence[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Reading:
    r"""Read a delimited text file with a header row; all columns are text.

    Args:
        path: The file.
        wanted: Names of the columns that must be there; they help to tell the delimiter.
        delimiter: One character; None finds it among comma, semicolon, tab and bar.
        encoding: Name of a codec; None finds it, see `payoff.data.readers.encoding`.

    Raises:
        DataError: PF101 no file; PF102 empty, binary, ragged, not decodable, a quote left open.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "t.csv")
        ...     _ = path.write_bytes(b'text;label\n"two\nlines";1\n')
        ...     read_delimited(path, ["text"]).frame.rows()
        [('two\nlines', '1')]
    """
    source = str(path)
    content = read_source(path)
    notes: tuple[str, ...] = ()
    refuse_binary(content, source)
    if encoding is None:
        encoding, notes = detect_encoding(content, source)
    if delimiter is None:
        delimiter = _find_delimiter(_open(content, encoding, source), wanted, source)
        if delimiter != ",":
            notes += (f"{source} was read with {_NAMES[delimiter]} between the columns.",)
    elif len(delimiter) != 1 or delimiter in '\r\n"':
        raise DataError(
            "PF102", source, f"{delimiter!r} is no delimiter", expected="one character such as ';'"
        )
    with _long_fields():
        return Reading(_parse(content, encoding, delimiter, source), notes)


def _open(content: bytes, encoding: str, source: str) -> io.TextIOWrapper:
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        return io.TextIOWrapper(io.BytesIO(content), codec, newline="")
    except LookupError as error:
        raise DataError(
            "PF102",
            source,
            f"'{encoding}' is no text encoding that Python knows",
            expected="a name such as utf-8, gb18030, cp1252, latin-1, utf-16",
        ) from error


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the parser's limit on one cell, so that a long text is told as one."""
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _find_delimiter(file: io.TextIOWrapper, wanted: Sequence[str], source: str) -> str:
    """The candidate under which the wanted columns stand, or the rows agree best."""
    with _decoding(source):
        sample = file.read(_SAMPLE_BYTES)
    best, best_score = ",", (0, False, 0.0, 0)
    with _long_fields():
        for candidate in DELIMITERS:
            lines = io.StringIO(sample, newline="")
            reader = csv.reader(lines, delimiter=candidate)
            rows = list(islice((cells for cells in reader if cells), _SAMPLE_ROWS))
            if len(sample) == _SAMPLE_BYTES and 1 < len(rows) < _SAMPLE_ROWS:
                rows.pop()
            if not rows:
                continue
            n_fields = len(rows[0])
            agree = sum(len(row) == n_fields for row in rows) / len(rows)
            score = (len(set(wanted) & set(rows[0])), n_fields > 1, agree, n_fields)
            if score > best_score:
                best, best_score = candidate, score
    return best


@contextmanager
def _decoding(source: str) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        raise DataError(
            "PF102",
            source,
            f"it cannot be decoded ({error})",
            mend="Name the right encoding, or leave it out to have it found.",
        ) from error


def _parse(content: bytes, encoding: str, delimiter: str, source: str) -> pl.DataFrame:
    """The table, in batches; any trouble is told by `_diagnose`, which is slower."""
    import polars as pl

    reader = csv.reader(_open(content, encoding, source), delimiter=delimiter, strict=True)
    frames: list[pl.DataFrame] = []
    n_rows = 0
    try:
        with _decoding(source):
            header = _header(next((cells for cells in reader if cells), []), source)
            while raw := list(islice(reader, _BATCH)):
                batch = [cells for cells in raw if cells]
                if any(len(cells) != len(header) for cells in batch):
                    raise _diagnose(content, encoding, delimiter, source)
                columns = zip(*batch, strict=True)
                frames.append(
                    pl.DataFrame(
                        [
                            text_series(name, column, source, first=n_rows + 1)
                            for name, column in zip(header, columns, strict=False)
                        ]
                    )
                )
                n_rows += len(batch)
    except csv.Error as error:
        raise _diagnose(content, encoding, delimiter, source) from error
    frames = [frame for frame in frames if frame.height]
    if not frames:
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String))
    return pl.concat(frames, rechunk=False)


def _diagnose(content: bytes, encoding: str, delimiter: str, source: str) -> DataError:
    """Parse again what is in memory, row by row, to say which rows are wrong."""
    reader = csv.reader(_open(content, encoding, source), delimiter=delimiter, strict=True)
    n_fields, row, line = 0, -1, 0
    ragged: list[tuple[int, int, int]] = []
    try:
        for cells in reader:
            first_line, line = line + 1, reader.line_num
            if not cells:
                continue
            row += 1
            n_fields = n_fields or len(cells)
            if len(cells) != n_fields:
                ragged.append((row, first_line, len(cells)))
    except csv.Error as error:
        unclosed = "unexpected end" in str(error)
        return DataError(
            "PF102",
            f"{source} line {line + 1}",
            "a quote opened in this row is never closed"
            if unclosed
            else "text follows a closing quote",
            mend="Write a quote inside a quoted cell twice, as a spreadsheet program does.",
        )
    first = ", ".join(f"row {row} (line {line}) has {n}" for row, line, n in ragged[:_NAMED])
    more = f" and {len(ragged) - _NAMED} more rows" if len(ragged) > _NAMED else ""
    return DataError(
        "PF102",
        source,
        f"rows differ in their number of fields: {first}{more}",
        expected=f"{n_fields}, as in the header",
        mend="Quote cells that hold the delimiter, or give the right one with delimiter=.",
    )


def _header(cells: list[str], source: str) -> list[str]:
    names = [name or f"column_{i}" for i, name in enumerate(cells, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            "PF102",
            f"{source} line 1",
            f"the header names {', '.join(map(repr, twice))} more than once",
            mend="Give every column its own name.",
        )
    return names
