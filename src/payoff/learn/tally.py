"""The tally: decisions added up by day, read on from where it stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from payoff.learn.acted import ACTED
from payoff.learn.journal import Journal
from payoff.learn.neighbours import NOBODY, Neighbours
from payoff.learn.tables import decisions

DAYS = 30
"""Days before today that are always looked at."""

_BLOCK = 100_000
_NEWEST = 10_000

_Key = tuple[str, str, str, str, str]

_KEY = (
    func.substr(decisions.c.time_utc, 1, 10),
    decisions.c.artifact_sha256,
    decisions.c.tier,
    decisions.c.action,
    decisions.c.currency,
)
_SUMS = (func.count(), func.sum(decisions.c.worth), func.sum(decisions.c.cost))


@dataclass(frozen=True, slots=True)
class DaySum:
    """Decisions of one day that are alike, added up.

    Args:
        day: In UTC, such as ``"2026-11-30"``.
        artifact_sha256: Which version decided.
        tier: The model that answered, in a cascade.
        action: What was done.
        currency: Of the money.
        n: How many.
        worth: Sum of their expected worth.
        cost: Sum of what asking the models cost.
    """

    day: str
    artifact_sha256: str
    tier: str
    action: str
    currency: str
    n: int
    worth: float
    cost: float


def first_day(now: datetime) -> str:
    """The first day that is looked at: `DAYS` before today, and the whole month in any case.

    Example:
        >>> first_day(datetime(2026, 11, 30, tzinfo=UTC)), first_day(datetime(2026, 7, 31))
        ('2026-10-31', '2026-07-01')
    """
    return min(now - timedelta(days=DAYS), now.replace(day=1)).strftime("%Y-%m-%d")


class Tally:
    """Adds up decisions, each of them once: those of the last weeks, and all where that is asked.

    What a treatment in the shadow would have done is left out: nobody acted upon it.

    The journal is only ever appended to, by one writer at a time: what was added up stays so, and
    the next look reads only what came since. Safe to use from several threads.

    Args:
        journal: Of the decisions.

    Example:
        >>> from payoff.learn.entry import Entry
        >>> with Journal.open("sqlite://") as journal:
        ...     tally = Tally(journal)
        ...     journal.append([Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)])
        ...     [(one.action, one.n, one.worth) for one in tally.read()]
        1
        [('refund', 1, 3.2)]
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sums: dict[_Key, tuple[int, float, float]] = {}
        self._first_id = 0  # of what was added up: after this one, up to the last one
        self._last_id: int | None = None
        self._lock = threading.Lock()

    def read(self, now: datetime | None = None) -> list[DaySum]:
        """The sums as of now, the first day first.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        since = first_day(now or datetime.now(UTC))
        with self._lock, self._journal.reading() as connection:
            self._read_on(connection, since)
            return self._since(since)

    def read_all(self) -> list[DaySum]:
        """The sums of all decisions, the first day first; the first time, each of them is read.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        while True:  # others may look between two blocks
            with self._lock, self._journal.reading() as connection:
                self._read_on(connection, "")
                if self._first_id <= 0:
                    return self._since("")
                begin = max(0, self._first_id - _BLOCK)
                self._add(connection, begin, self._first_id)
                self._first_id = begin

    def _read_on(self, connection: Connection, since: str) -> None:
        """Add what came since the last look; at the first one, what came since a day."""
        newest = connection.execute(select(func.max(decisions.c.id))).scalar() or 0
        if self._last_id is None:
            self._first_id = self._last_id = _before(connection, since, newest)
        while self._last_id < newest:
            end = min(self._last_id + _BLOCK, newest)
            self._add(connection, self._last_id, end)
            self._last_id = end

    def _since(self, day: str) -> list[DaySum]:
        return [DaySum(*key, *self._sums[key]) for key in sorted(self._sums) if key[0] >= day]

    def _add(self, connection: Connection, after: int, up_to: int) -> None:
        """Add the decisions with ids after one and up to another."""
        block = (decisions.c.id > after) & (decisions.c.id <= up_to)
        wanted = select(*_KEY, *_SUMS).where(block & ACTED).group_by(*_KEY)
        for day, sha256, tier, action, currency, n, worth, cost in connection.execute(wanted):
            key = (day, sha256, tier, action, currency)
            before = self._sums.get(key, (0, 0.0, 0.0))
            self._sums[key] = (before[0] + n, before[1] + worth, before[2] + cost)


def newest_latencies_ms(
    journal: Journal, limit: int = _NEWEST, *, beside: Neighbours = NOBODY
) -> Sequence[float]:
    """How long the newest decisions took, the newest first.

    Args:
        journal: Of the decisions.
        limit: How many at most.
        beside: Other models that write to it, whose decisions are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     newest_latencies_ms(journal)
        []
    """
    newest = select(decisions.c.latency_ms).where(beside.decided()).order_by(decisions.c.id.desc())
    wanted = newest.limit(limit)
    with journal.reading() as connection:
        return [float(one) for one in connection.execute(wanted).scalars()]


def _before(connection: Connection, since: str, newest: int) -> int:
    """The id before the first decision since a day."""
    wanted = select(func.min(decisions.c.id)).where(decisions.c.time_utc >= since)
    first = connection.execute(wanted).scalar()
    return newest if first is None else int(first) - 1
