"""Tables of other programs: Parquet, Excel, and frames of polars and pandas."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.core.errors import DataError
from payoff.core.extras import require
from payoff.data.readers.cells import cell_text, text_series
from payoff.data.readers.source import Reading, read_source

if TYPE_CHECKING:
    import polars as pl


def read_parquet(path: Path) -> Reading:
    """Read a Parquet file.

    Raises:
        DataError: PF101 no file; PF102 where it is no Parquet.

    Example:
        >>> import polars as pl, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "t.parquet")
        ...     pl.DataFrame({"text": ["hi"]}).write_parquet(path)
        ...     read_parquet(path).frame.rows()
        [('hi',)]
    """
    content = read_source(path)
    import polars as pl

    try:
        return Reading(pl.read_parquet(io.BytesIO(content)), ())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            "PF102",
            str(path),
            f"it is no Parquet file that can be read ({_first_line(error)})",
            mend="Write it again, or save the table as CSV.",
        ) from error


def read_excel(path: Path) -> Reading:
    """Read the first sheet of an Excel workbook; all columns are text.

    Raises:
        DataError: PF101 no file; PF102 where it is no workbook.
        MachineError: PF803 where the extra ``excel`` is not installed.

    Example:
        >>> read_excel(Path("nowhere.xlsx"))
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF101 nowhere.xlsx: there is no such file. Check the path; \
relative paths start where you stand.
    """
    content = read_source(path)
    fastexcel = require("fastexcel", "excel", "reading Excel files")
    try:
        workbook = fastexcel.read_excel(content)
        sheets = list(workbook.sheet_names)
        frame = workbook.load_sheet(0, dtypes="string").to_polars()
    except Exception as error:  # the library's exceptions are of several unrelated kinds
        raise DataError(
            "PF102",
            str(path),
            f"it is no Excel workbook that can be read ({_first_line(error)})",
            mend="Save it as .xlsx without a password, or as CSV.",
        ) from error
    more = len(sheets) > 1
    notes = (f"{path} has {len(sheets)} sheets; the first, '{sheets[0]}', was read.",)
    return Reading(frame, notes if more else ())


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def as_frame(table: Any, source: str) -> pl.DataFrame:
    """A polars frame from a polars or pandas one; pandas is not imported.

    Raises:
        DataError: PF102 where ``table`` is neither.

    Example:
        >>> import polars as pl
        >>> as_frame(pl.LazyFrame({"text": ["hi"]}), "frame").rows()
        [('hi',)]
    """
    import polars as pl

    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if isinstance(table, pl.DataFrame):
        return table
    if type(table).__module__.split(".")[0] == "pandas" and hasattr(table, "columns"):
        return _from_pandas(table, source)
    raise DataError(
        "PF102",
        source,
        f"it is a {type(table).__name__}",
        expected="a DataFrame of polars or pandas",
    )


def _from_pandas(table: Any, source: str) -> pl.DataFrame:
    """Column by column as text, since the direct way would need pyarrow."""
    import polars as pl

    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        raise DataError(
            "PF102",
            source,
            "two columns have the same name",
            mend="Give every column its own name.",
        )
    columns = []
    for i, name in enumerate(names):
        values = table.iloc[:, i]
        missing = values.isna().tolist()
        cells = [
            None if gone else cell_text(value)
            for value, gone in zip(values.tolist(), missing, strict=True)
        ]
        columns.append(text_series(name, cells, source))
    return pl.DataFrame(columns)
