"""Price files: CSV with one dated fact a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from payoff.core.errors import EconomicsError, PayoffError, did_you_mean, raise_all
from payoff.economics.prices.price import COLUMNS, REQUIRED_COLUMNS, Price


def read_prices(text: str, name: str) -> list[Price]:
    """Read all rows of a price file, or tell all that is wrong with it.

    Args:
        text: Content of the file, a header and one fact a line.
        name: Name of the file for messages.

    Raises:
        EconomicsError: PF602, PF603 or PF604 with file and line; `Problems` where several
            lines are wrong.

    Example:
        >>> read_prices(write_prices([]), "mine.csv")
        []
    """
    if "\x00" in text:
        raise EconomicsError("PF602", name, "it holds NUL bytes", expected="a CSV file in UTF-8")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    prices: list[Price] = []
    problems: list[PayoffError] = []
    try:
        raise_all(_header_problems(list(reader.fieldnames or ()), name))
        for row in reader:
            where = f"{name} line {reader.line_num}"
            if None in row or None in row.values():
                problems.append(
                    EconomicsError(
                        "PF602", where, "it has not as many cells as the header has columns"
                    )
                )
                continue
            try:
                prices.append(Price.from_row(row, where))
            except PayoffError as error:
                problems += getattr(error, "problems", (error,))
    except csv.Error as error:  # a quote that is never closed makes one cell of all that follows
        where = f"{name} line {reader.line_num + 1}"
        raise EconomicsError(
            "PF602", where, f"it is no row ({error})", mend="Look for a quote that is not closed."
        ) from error
    raise_all(problems)
    return prices


def write_prices(prices: Iterable[Price], *, columns: Sequence[str] = COLUMNS) -> str:
    """The text of a price file that `read_prices` reads.

    Args:
        prices: One a row.
        columns: Columns and their order; a value whose column is missing must be empty.

    Raises:
        EconomicsError: PF602 where a price states something that no column takes.

    Example:
        >>> write_prices([]).startswith("provider,service,kind,item")
        True
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for price in prices:
        row = {name: cell for name, cell in price.as_dict().items() if cell or name in columns}
        lost = [name for name in row if name not in columns and name != "commitment"]
        if lost or ("commitment" not in columns and price.commitment != "on_demand"):
            raise EconomicsError(
                "PF602",
                price.label,
                f"the file has no column {(lost or ['commitment'])[0]}",
                mend="Add the column to its first line, or write to a new file.",
            )
        writer.writerow({name: row[name] for name in columns})
    return buffer.getvalue()


def _header_problems(header: list[str], name: str) -> list[PayoffError]:
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    twice = sorted({column for column in header if header.count(column) > 1})
    problems: list[PayoffError] = []
    if missing:
        problems.append(
            EconomicsError(
                "PF602",
                f"{name} line 1",
                "columns are missing: " + ", ".join(missing),
                expected="a header with " + ",".join(COLUMNS),
            )
        )
    problems += [
        EconomicsError(
            "PF602",
            f"{name} line 1",
            f"column '{column}' is unknown",
            mend=did_you_mean(column, COLUMNS),
        )
        for column in unknown
    ]
    problems += [
        EconomicsError("PF602", f"{name} line 1", f"column '{column}' is given twice")
        for column in twice
    ]
    return problems
