"""JSON lines: one object a line, in UTF-8."""

from __future__ import annotations

import io
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.core.errors import DataError
from payoff.data.readers.cells import cell_text, text_series
from payoff.data.readers.source import Reading, read_source, refuse_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

_BATCH = 20_000


def read_json_lines(path: Path) -> Reading:
    """Read a file of JSON objects, one a line; all columns are text.

    A key that an object lacks is an empty cell. Blank lines are skipped. Nested values are kept
    as their JSON text.

    Raises:
        DataError: PF101 no file; PF102 with the number of the first malformed line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "t.jsonl")
        ...     _ = path.write_text('{"text": "hi", "label": 1}')
        ...     read_json_lines(path).frame.rows()
        [('hi', '1')]
    """
    content = read_source(path)
    import polars as pl

    refuse_binary(content, str(path))
    frames: list[pl.DataFrame] = []
    rows = _rows(content, str(path))
    first = 1
    while batch := list(islice(rows, _BATCH)):
        names = dict.fromkeys(name for row in batch for name in row)
        frames.append(
            pl.DataFrame(
                [
                    text_series(
                        name, [cell_text(row.get(name)) for row in batch], str(path), first=first
                    )
                    for name in names
                ]
            )
        )
        first += len(batch)
    if not frames:  # lines of nothing but signs that count as white space
        raise DataError("PF102", str(path), "the file is empty", mend="Give a file with rows.")
    return Reading(pl.concat(frames, how="diagonal", rechunk=False), ())


def _rows(content: bytes, source: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise _malformed(source, number, f"it is no UTF-8 ({error})") from error
        except (ValueError, RecursionError) as error:
            raise _malformed(source, number, f"it is no JSON ({error})") from error
        if not isinstance(row, dict):
            raise _malformed(source, number, f"it holds a {type(row).__name__}")
        yield row


def _malformed(source: str, line: int, found: str) -> DataError:
    return DataError(
        "PF102",
        f"{source} line {line}",
        found,
        expected='one JSON object a line, such as {"text": "…", "label": "…"}',
    )
