"""A cap on money and tokens that holds before it is passed: over threads, processes, restarts."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.files import disk_errors
from payoff.core.money import Money

_UNIT = Decimal("1e-9")  # money is kept in whole billionths, so that sums are exact
_POLL_S = 0.02
_LONGEST_S = 600.0  # an attempt that was begun earlier is under way no more
_TABLES = (
    "CREATE TABLE IF NOT EXISTS attempts (id INTEGER PRIMARY KEY, month TEXT NOT NULL, "
    "begun REAL NOT NULL, currency TEXT NOT NULL, billionths INTEGER NOT NULL, "
    "tokens INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spent (month TEXT NOT NULL, currency TEXT NOT NULL, "
    "billionths INTEGER NOT NULL, tokens INTEGER NOT NULL, attempts INTEGER NOT NULL, "
    "beyond INTEGER NOT NULL, PRIMARY KEY (month, currency))",
)
_OF_MONTH = " WHERE month = :month"
_OPEN = " OR begun > :recent"  # begun last month and still under way: it may end in this one
_FULL = (sqlite3.SQLITE_FULL,)
_FORBIDDEN = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)

Settle = Callable[[int, int], None]
"""Called with the tokens that an attempt was charged for, read and written."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget's book says.

    Args:
        billionths: Money spent or reserved, in billionths of the currency's unit.
        tokens: Tokens spent or reserved.
        beyond: Attempts that were charged more than they had reserved.
    """

    billionths: int
    tokens: int
    beyond: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.billionths + other.billionths,
            self.tokens + other.tokens,
            self.beyond + other.beyond,
        )


class EndpointBudget:
    """What all who share a book may spend on endpoints.

    Every attempt to ask reserves the most that it can cost before it is sent, and tells afterwards
    what it was charged. What was reserved and never settled counts as spent for ever: an attempt
    that timed out, or whose process was killed, may have been charged.

    The cap holds as long as no attempt is charged more than it reserved. One that was is counted
    as it was charged, and told.

    Args:
        path: The book: an SQLite file, made where it is missing.
        money: The most that may be spent; None for no cap on money.
        tokens: The most tokens that may be used, read and written; 0 for no cap on them.
        monthly: Whether the caps are for each calendar month (UTC) rather than for ever.
        wait_s: Longest wait for others' attempts where what they reserved stands in the way.
        now: The time, in seconds since 1970.

    Raises:
        MachineError: PF817 where a cap is below 0, or the book is of another currency or no book;
            PF801 or PF802 where it cannot be written.

    Example:
        >>> import tempfile
        >>> price = TokenPrice.parse("1000 2000 USD", where="here")
        >>> with tempfile.TemporaryDirectory() as place:
        ...     budget = EndpointBudget(Path(place) / "book.db", money=Money.of(1, "USD"))
        ...     with budget.reserved(700, 100, price) as settle:
        ...         settle(300, 10)
        ...     budget.money_used, budget.tokens_used
        (Money(0.320000000 USD), 310)
    """

    def __init__(
        self,
        path: Path,
        *,
        money: Money | None = None,
        tokens: int = 0,
        monthly: bool = False,
        wait_s: float = 60.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        if (money is not None and money.amount < 0) or tokens < 0:
            raise self._wrong(path, f"a cap of {money or f'{tokens} tokens'}", "0 or more")
        self.path = path
        self.money = money
        self.tokens = tokens
        self.monthly = monthly
        self.wait_s = wait_s
        self._now = now
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._changing() as rows:
            for table in _TABLES:
                rows.execute(table)
            if money is not None:
                self._same_currency(rows, money.currency)

    @property
    def money_used(self) -> Money | None:
        """Money that was spent and that is reserved, within the month where it is monthly."""
        return None if self.money is None else self._money(self.used.billionths)

    @property
    def tokens_used(self) -> int:
        """The same in tokens."""
        return self.used.tokens

    @property
    def used(self) -> Spent:
        """All of it."""
        with self._changing() as rows:
            return self._used(rows)

    @contextmanager
    def reserved(self, read: int, written: int, price: TokenPrice | None) -> Iterator[Settle]:
        """Hold back the most that an attempt can cost while it is under way.

        Args:
            read: The most tokens that it can be charged for as read.
            written: As written.
            price: Of each; None where nobody knows.

        Yields:
            A function to call with the tokens that it was charged for; all that was held back is
            spent where it is not called.

        Raises:
            MachineError: PF815 where a cap could be passed; PF817 where money is capped and the
                price is not known or in another currency.
        """
        if self.money is not None and (price is None or price.currency != self.money.currency):
            raise unpriced(self.money, price, str(self.path))
        held = self._priced(read, written, price)
        place = self._reserve(held, "" if price is None else price.currency)
        spent = held

        def settle(read: int, written: int) -> None:
            nonlocal spent
            spent = self._priced(read, written, price)

        try:
            yield settle
        finally:
            more = spent.billionths > held.billionths or spent.tokens > held.tokens
            self._close(place, Spent(spent.billionths, spent.tokens, int(more)))

    def _reserve(self, wanted: Spent, currency: str) -> int:
        """The attempt's row; waits while others' reservations could still be given back."""
        deadline = time.monotonic() + self.wait_s
        while True:
            with self._changing() as rows:
                used = self._used(rows)
                if self._holds(used + wanted):
                    self._same_currency(rows, currency)
                    cursor = rows.execute(
                        "INSERT INTO attempts (month, begun, currency, billionths, tokens) "
                        "VALUES (?, ?, ?, ?, ?)",
                        [self._month, self._now(), currency, wanted.billionths, wanted.tokens],
                    )
                    assert cursor.lastrowid is not None
                    return cursor.lastrowid
                under_way = self._sum(rows, "attempts", " WHERE begun > :recent")
            sure = Spent(used.billionths - under_way.billionths, used.tokens - under_way.tokens)
            if not self._holds(sure + wanted) or time.monotonic() >= deadline:
                raise self._exhausted(used, wanted)
            time.sleep(_POLL_S)

    def _close(self, place: int, spent: Spent) -> None:
        """Count what an attempt was charged in place of what it had reserved."""
        with self._changing() as rows:
            currency = rows.execute("SELECT currency FROM attempts WHERE id = ?", [place])
            rows.execute(
                "INSERT INTO spent VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (month, currency) DO "
                "UPDATE SET billionths = billionths + excluded.billionths, "
                "tokens = tokens + excluded.tokens, attempts = attempts + 1, "
                "beyond = beyond + excluded.beyond",
                [
                    self._month,
                    currency.fetchone()[0],
                    spent.billionths,
                    spent.tokens,
                    spent.beyond,
                ],
            )
            rows.execute("DELETE FROM attempts WHERE id = ?", [place])

    def _holds(self, used: Spent) -> bool:
        if self.money is not None and used.billionths > int(self.money.amount / _UNIT):
            return False
        return not self.tokens or used.tokens <= self.tokens

    def _used(self, rows: sqlite3.Connection) -> Spent:
        month = _OF_MONTH if self.monthly else ""
        settled = self._sum(rows, "spent", month, ", coalesce(sum(beyond), 0)")
        return settled + self._sum(rows, "attempts", month and month + _OPEN)

    def _sum(self, rows: sqlite3.Connection, table: str, where: str, more: str = "") -> Spent:
        asked = (
            f"SELECT coalesce(sum(billionths), 0), coalesce(sum(tokens), 0){more} "
            f"FROM {table}{where}"
        )
        when = {"month": self._month, "recent": self._now() - _LONGEST_S}
        return Spent(*rows.execute(asked, when).fetchone())

    def _same_currency(self, rows: sqlite3.Connection, currency: str) -> None:
        """Refuse to add up two currencies; what was spent without a price has none."""
        if not currency:
            return
        for table in ("spent", "attempts"):
            others = rows.execute(
                f"SELECT currency FROM {table} WHERE currency NOT IN ('', ?)", [currency]
            )
            if found := others.fetchone():
                raise self._wrong(self.path, f"it is kept in {found[0]}", currency)

    @property
    def _month(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m")

    def _priced(self, read: int, written: int, price: TokenPrice | None) -> Spent:
        """So many tokens with their price, rounded up."""
        if price is None:
            return Spent(0, read + written)
        exact = price.cost(read, written).amount / _UNIT
        return Spent(int(exact.to_integral_value(rounding=ROUND_CEILING)), read + written)

    def _money(self, billionths: int) -> Money:
        assert self.money is not None
        return Money(billionths * _UNIT, self.money.currency)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone may write, until the block ends."""
        try:
            with disk_errors(self.path):
                rows = sqlite3.connect(self.path, timeout=60.0, isolation_level=None)
                try:
                    rows.execute("BEGIN IMMEDIATE")
                    yield rows
                    rows.execute("COMMIT")
                finally:
                    rows.close()  # what was not committed is as if it had not been
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error) -> MachineError:
        number = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if number in _FULL or number in _FORBIDDEN:
            code = "PF801" if number in _FULL else "PF802"
            mend = "Free some space." if number in _FULL else "Choose a file that you may write."
            return MachineError(code, str(self.path), f"{error}", mend=mend)
        return self._wrong(self.path, f"{error}", "a book of an endpoint's cap")

    def _wrong(self, path: Path, found: str, expected: str) -> MachineError:
        return MachineError("PF817", str(path), found, expected=expected)

    def _exhausted(self, used: Spent, wanted: Spent) -> MachineError:
        if self.money is not None and not self._holds(Spent((used + wanted).billionths, 0)):
            spent, more = self._money(used.billionths), self._money(wanted.billionths)
            told = f"{spent} of {self.money} are spent or reserved"
            told += f" and the next attempt may cost {more}"
        else:
            told = f"{used.tokens:,} of {self.tokens:,} tokens are used or reserved"
            told += f" and the next attempt may use {wanted.tokens:,}"
        if used.beyond:
            told += f"; {used.beyond:,} took more tokens than they were allowed"
        return MachineError(
            "PF815",
            str(self.path),
            told,
            expected="no more than the cap" + (" of a month" if self.monthly else ""),
            mend="What was answered is kept: run the same command again with a larger cap.",
        )


def unpriced(cap: Money, price: TokenPrice | None, where: str, why: str = "") -> MachineError:
    """The error where a cap in money stands and nothing tells what a token costs in its currency.

    Example:
        >>> unpriced(Money.of(5, "USD"), None, "small").code
        'PF817'
    """
    found = why or "nobody knows what a token costs"
    if price is not None:
        found = f"a token is priced in {price.currency}"
    return MachineError(
        "PF817",
        where,
        f"there is a cap of {cap}, and {found}",
        expected=f"the price of a token in {cap.currency}",
        mend="State the price of a million tokens read and written, as in: export "
        f"PAYOFF_ENDPOINT_PRICE='0.15 0.60 {cap.currency}'",
    )
