"""Own prices: a price file to which facts are appended, and never anything else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from payoff.core.errors import EconomicsError
from payoff.core.files import write_text
from payoff.core.progress import Silent
from payoff.data.folder_lock import folder_lock
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.price import Price
from payoff.economics.prices.price_file import write_prices

OWN_PRICES = "prices.csv"
"""Usual name of the file."""

_MARK = "\ufeff"
_BLANK = _MARK + " \t\r\n"


def append_prices(path: Path, prices: Iterable[Price]) -> tuple[Price, ...]:
    """Append facts to a price file, all or none; the lines that are there stay as they are.

    A fact that the file or the built-in book has already is left out. One process at a time
    writes.

    Args:
        path: The file; made where there is none.
        prices: The facts.

    Returns:
        Those that were appended.

    Raises:
        EconomicsError: PF603 or PF602 where a fact has no source; PF606 where one contradicts a
            price of the same day, of the file or of the built-in book; PF602 to PF604 where the
            file as it is cannot be read.
        MachineError: PF801 on a full disk, PF802 where the file cannot be written.

    Example:
        >>> import tempfile
        >>> from datetime import date
        >>> from decimal import Decimal
        >>> rent = Price(provider="cellar", service="rack", kind="instance", item="old-server",
        ...              unit="month", currency="EUR", price=Decimal("12.50"),
        ...              as_of=date(2026, 1, 2), source="invoice 7")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "prices.csv"
        ...     len(append_prices(file, [rent])), len(append_prices(file, [rent]))
        (1, 0)
    """
    offered = list(prices)
    for price in offered:
        if not price.source.strip():
            raise EconomicsError(
                "PF602",
                price.label,
                "source is empty",
                expected="where the price was read",
                mend='Name the page, the invoice or the person: --source "invoice 7".',
            )
    with folder_lock(path, Silent()):
        known, before = PriceBook.builtin(), _text_of(path)
        if before.strip(_BLANK):
            known = known.with_prices(PriceBook.from_csv(path))
        known.with_prices(offered)  # what contradicts is told before anything is written
        facts = {(price.key, price.as_of) for price in known}
        new = [
            price for price in PriceBook(tuple(offered)) if (price.key, price.as_of) not in facts
        ]
        if new:
            write_text(path, _appended(before, new))
    return tuple(new)


def _text_of(path: Path) -> str:
    """What stands in the file, with its byte-order mark; nothing where there is none."""
    if not path.exists():
        return ""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EconomicsError(
            "PF602",
            path.name,
            f"it cannot be read ({type(error).__name__})",
            expected="a CSV file in UTF-8",
            mend="Save it as UTF-8, or name another file.",
        ) from error


def _appended(before: str, new: list[Price]) -> str:
    """The text with more rows, in the order of the columns that its header has."""
    if not before.strip(_BLANK):
        return write_prices(new)
    header = next(csv.reader(io.StringIO(before.removeprefix(_MARK), newline="")))
    text = before if before.endswith("\n") else before + "\n"
    return text + write_prices(new, columns=header).partition("\n")[2]
