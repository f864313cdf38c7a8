"""A data file opened once, and told what it is by its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from payoff.core.errors import DataError
from payoff.core.extras import require

if TYPE_CHECKING:
    import polars as pl

_MAGIC = (
    (b"PAR1", "a Parquet file", "Name it .parquet."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Name it .xls, or save it as CSV."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"BZh", "a bzip2 archive", "Unpack it first."),
    (b"\xfd7zXZ\x00", "an xz archive", "Unpack it first."),
    (b"%PDF", "a PDF document", "Save the table as CSV."),
    (b"\x89PNG", "a PNG image", "Save the table as CSV."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table as CSV."),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class Reading(NamedTuple):
    """What a reader hands over.

    Attributes:
        frame: The table.
        notes: What the reader assumed and the user did not say, one sentence each.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]


def read_source(path: Path) -> bytes:
    """Read a file whole, opening it once.

    Raises:
        DataError: PF101 where there is no such file, PF102 where it is empty.
        MachineError: PF803 where the extra ``data`` is not installed.

    Example:
        >>> read_source(Path("nowhere.csv"))
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF101 nowhere.csv: there is no such file. Check the path; \
relative paths start where you stand.
    """
    require("polars", "data", "reading tables")
    where = str(path)
    try:
        if not path.is_file():
            found = (
                "it is a folder"
                if path.is_dir()
                else "it is no ordinary file"
                if path.exists()
                else "there is no such file"
            )
            raise DataError(
                "PF101", where, found, mend="Check the path; relative paths start where you stand."
            )
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "PF101", where, f"it cannot be opened ({error.strerror})", mend="Check its permissions."
        ) from error
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError("PF102", where, "the file is empty", mend="Give a file with a table in it.")
    return content


def refuse_binary(content: bytes, source: str) -> None:
    """Raise where the content is a known binary format and not text.

    Raises:
        DataError: PF102 naming the format.

    Example:
        >>> refuse_binary(b"PAR1....", "t.csv")
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF102 t.csv: it is a Parquet file, not text. Name it .parquet.
    """
    if content.startswith(_ZIP):
        workbook = b"xl/" in content
        kind = "an Excel workbook (.xlsx)" if workbook else "a zip archive"
        mend = "Name it .xlsx, or save it as CSV." if workbook else "Unpack it first."
        raise DataError("PF102", source, f"it is {kind}, not text", mend=mend)
    for magic, kind, mend in _MAGIC:
        if content.startswith(magic):
            raise DataError("PF102", source, f"it is {kind}, not text", mend=mend)
