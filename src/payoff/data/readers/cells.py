"""Cells of any kind as text: 1 and 1.0 are both "1"."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from payoff.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_EXACT = 2**53


def cell_text(value: Any) -> str | None:
    """A Python value as the text of a cell; None where it is missing.

    Example:
        >>> cell_text(1.0), cell_text(2.5), cell_text(True), cell_text(float("nan"))
        ('1', '2.5', 'true', None)
    """
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def text_series(
    name: str, cells: Sequence[str | None], source: str, *, first: int = 1
) -> pl.Series:
    """A text column; ``first`` is the row number of its first cell.

    Raises:
        DataError: PF105 where a cell holds half of a surrogate pair, which is no character.

    Example:
        >>> text_series("text", ["a", None], "t.jsonl").to_list()
        ['a', None]
    """
    import polars as pl

    if not _encodes(name):
        raise DataError(
            "PF105",
            source,
            "the name of a column holds half of a surrogate pair, which is no character",
            mend="Rename it.",
        )
    try:
        return pl.Series(name, cells, dtype=pl.String)
    except UnicodeEncodeError as error:
        row = next(i for i, cell in enumerate(cells, first) if cell and not _encodes(cell))
        raise DataError(
            "PF105",
            f"{source} row {row}",
            f"column '{name}' holds half of a surrogate pair, which is no character",
            mend="Remove it.",
        ) from error


def _encodes(cell: str) -> bool:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def column_text(column: pl.Series, source: str) -> pl.Series:
    """A polars column as text, row by row as `cell_text` would.

    Raises:
        DataError: PF108 where the column holds lists, records, bytes or spans of time.

    Example:
        >>> import polars as pl
        >>> column_text(pl.Series("label", [1.0, None, 2.5]), "t.parquet").to_list()
        ['1', None, '2.5']
    """
    import polars as pl

    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration):
        raise DataError(
            "PF108",
            f"{source} column '{column.name}'",
            f"it holds {kind}",
            expected="text, numbers, dates or true/false",
            mend="Convert the column to text first.",
        )
    name = pl.col(column.name)
    if kind.is_float() or kind.is_decimal():
        whole = (name == name.floor()) & (name.abs() <= _EXACT)
        missing = name.is_nan() if kind.is_float() else pl.lit(False)
        text = (
            pl.when(missing)
            .then(None)
            .when(whole)
            .then(name.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(name.cast(pl.String))
        )
    elif isinstance(kind, pl.Datetime):
        text = name.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if kind.time_zone else ""))
    else:
        text = name.cast(pl.String)
    return column.to_frame().select(text.alias(column.name)).to_series()
