"""A cap on money that holds before it is passed, across threads, processes and restarts."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from payoff.core.errors import MachineError
from payoff.core.files import disk_errors
from payoff.core.money import Money

_UNIT = Decimal("1e-9")  # money is kept in whole billionths, so that sums are exact
_POLL_S = 0.02
_TABLE = """
CREATE TABLE IF NOT EXISTS spent (
    id INTEGER PRIMARY KEY, currency TEXT NOT NULL, billionths INTEGER NOT NULL, open INTEGER
)"""


class MoneyBudget:
    """Money that all who share a file may spend on an endpoint.

    A request reserves the most that it can cost before it is sent, and tells afterwards what it
    used. What was reserved and never settled counts as spent for ever: a process that was killed,
    or a request that failed, may have been charged.

    It stands where a `TokenBudget` does.

    Args:
        path: An SQLite file, made where it is missing.
        cap: The most that may ever be spent by it.
        per_token: Price of a token, read or written: the dearer of the two.
        wait_s: Longest wait for others' requests where what they reserved stands in the way.

    Raises:
        MachineError: PF815 where the cap or the price is below 0 or their currencies differ, or
            the file is of another currency or no budget; PF801 or PF802 where it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     budget = MoneyBudget(Path(place) / "spent.db", Money.of(1, "USD"),
        ...                          per_token=Money.of("0.001", "USD"))
        ...     with budget.reserved(900) as settle:
        ...         settle(300)
        ...     budget.used
        Money(0.300000000 USD)
    """

    def __init__(self, path: Path, cap: Money, *, per_token: Money, wait_s: float = 60.0) -> None:
        if cap.amount < 0 or per_token.amount < 0 or cap.currency != per_token.currency:
            raise self._wrong(path, f"a cap of {cap} and {per_token} a token", "one currency, >= 0")
        self.path = path
        self.cap = cap
        self.per_token = per_token
        self.wait_s = wait_s
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._changing() as rows:
            rows.execute(_TABLE)
            others = rows.execute("SELECT currency FROM spent WHERE currency != ?", [cap.currency])
            if found := others.fetchone():
                raise self._wrong(path, f"it is kept in {found[0]}", cap.currency)

    @property
    def used(self) -> Money:
        """All that was spent, and all that is reserved."""
        with self._changing() as rows:
            total = rows.execute("SELECT coalesce(sum(billionths), 0) FROM spent").fetchone()[0]
        return Money(total * _UNIT, self.cap.currency)

    @contextmanager
    def reserved(self, tokens: int) -> Iterator[Callable[[int], None]]:
        """Hold back the price of ``tokens`` while a request is under way.

        Yields:
            A function to call with the tokens that the request used; all that was held back is
            spent where it is not called.

        Raises:
            MachineError: PF815 where the cap could be passed.
        """
        place = self._reserve(self._billionths(tokens))

        def settle(used: int) -> None:
            with self._changing() as rows:
                rows.execute(
                    "UPDATE spent SET billionths = ?, open = 0 WHERE id = ?",
                    [self._billionths(used), place],
                )

        try:
            yield settle
        finally:
            with self._changing() as rows:
                rows.execute("UPDATE spent SET open = 0 WHERE id = ?", [place])

    def _reserve(self, wanted: int) -> int:
        """The row that holds the reservation; waits while others' could still be given back."""
        most = int(self.cap.amount / _UNIT)
        deadline = time.monotonic() + self.wait_s
        while True:
            with self._changing() as rows:
                total, sure = rows.execute(
                    "SELECT coalesce(sum(billionths), 0), "
                    "coalesce(sum(CASE WHEN open THEN 0 ELSE billionths END), 0) FROM spent"
                ).fetchone()
                if total + wanted <= most:
                    cursor = rows.execute(
                        "INSERT INTO spent (currency, billionths, open) VALUES (?, ?, 1)",
                        [self.cap.currency, wanted],
                    )
                    assert cursor.lastrowid is not None
                    return cursor.lastrowid
            if sure + wanted > most or time.monotonic() >= deadline:
                raise self._exhausted(total, wanted)
            time.sleep(_POLL_S)

    def _billionths(self, tokens: int) -> int:
        """The price of so many tokens, rounded up."""
        exact = self.per_token.amount * tokens / _UNIT
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

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
            raise self._wrong(self.path, f"{error}", "a file that can be written") from error

    def _wrong(self, path: Path, found: str, expected: str) -> MachineError:
        return MachineError("PF815", str(path), found, expected=expected)

    def _exhausted(self, total: int, wanted: int) -> MachineError:
        used, more = (Money(amount * _UNIT, self.cap.currency) for amount in (total, wanted))
        return MachineError(
            "PF815",
            str(self.path),
            f"{used} of {self.cap} are spent or reserved and the next request may cost {more}",
            expected="no more than the budget",
            mend="What was answered is kept: run the same command again with a larger budget.",
        )
