"""Rows of a CSV file as every reader takes them apart again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, TextIO


class CsvRows:
    r"""Writes rows that end with a line feed.

    A cell with a lone carriage return is put in quotes: the standard writer leaves it bare where
    rows end with a line feed alone, and readers then take it for the end of the row.

    Args:
        file: Where the rows go.

    Example:
        >>> text = io.StringIO()
        >>> CsvRows(text).writerow(["a\rb", "c"])
        >>> text.getvalue()
        '"a\rb",c\n'
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def writerow(self, cells: Iterable[Any]) -> None:
        """Write one row."""
        row = io.StringIO()
        csv.writer(row).writerow(cells)  # ends with both signs, and quotes cells with either
        self._file.write(row.getvalue().removesuffix("\r\n") + "\n")
