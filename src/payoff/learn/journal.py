"""The journal: every decision, written before its answer leaves, and every cost. Append-only."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from payoff.core.errors import ServiceError
from payoff.core.extras import require
from payoff.economics.costs import Step
from payoff.learn.booking import Booking
from payoff.learn.database_errors import database_errors
from payoff.learn.entry import Entry, now_utc
from payoff.learn.hold import Hold
from payoff.learn.migrations import MIGRATIONS, SALT, migrate
from payoff.learn.tables import costs, decisions, holds, migrations, settings
from payoff.learn.tables import texts as text_rows
from payoff.learn.tidier import Tidier

_BLOCK = 500
_LOCK = 1885434470
"""Names the journal's writer among the advisory locks of a PostgreSQL database."""

_FIELDS = tuple(field.name for field in fields(Entry))
_COLUMNS = tuple(decisions.c[name] for name in _FIELDS)


class Journal:
    """One database of decisions and of costs: SQLite in WAL mode by default, PostgreSQL by URL.

    Safe to use from several threads, and from several processes on the same database. `open`
    makes one.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     journal.append([Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)])
        ...     journal.append([Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)])
        ...     journal.count()
        1
        0
        1
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._tidier: Tidier | None = None
        # One writer at a time: SQLite allows no more, and waiting here is fair and cheap.
        self._writer = threading.Lock()

    @classmethod
    def open(
        cls, url: str | Path, *, timeout_s: float = 5.0, tidied_aside: bool = False
    ) -> Journal:
        """Open a journal, making its tables where there are none.

        Args:
            url: A file for SQLite, or a database URL such as ``"postgresql+psycopg://…"``;
                ``"sqlite://"`` lives in memory.
            timeout_s: How long to wait for another process that is writing.
            tidied_aside: Move what SQLite wrote ahead into its file by a thread of its own, where a
                service writes all day: else every thousandth page makes one writer wait for that.

        Raises:
            ServiceError: PF703 where the database stays locked, PF704 on a full disk, PF705
                where it cannot be written, PF706 where it is no journal or a newer payoff's.
            MachineError: PF803 where the driver of PostgreSQL is not installed.
        """
        text = str(url)
        address = text if "://" in text else f"sqlite:///{Path(text)}"
        where = _shown(address)
        with database_errors(where):
            engine = _engine(address, timeout_s, by_itself=not tidied_aside)
            journal = cls(engine, where)
            try:
                with journal._writing() as connection:
                    found = migrate(connection, now_utc())
                journal.check()
            except BaseException:
                engine.dispose()
                raise
        if found > len(MIGRATIONS):
            engine.dispose()
            raise ServiceError(
                "PF706",
                where,
                f"its tables have the number {found}",
                expected=f"at most {len(MIGRATIONS)}",
                mend="Upgrade payoff.",
            )
        if tidied_aside and engine.url.get_backend_name() == "sqlite" and engine.url.database:
            journal._tidier = Tidier(Path(engine.url.database))
        return journal

    def append(
        self, entries: Sequence[Entry], *, texts: Mapping[str, str] = MappingProxyType({})
    ) -> int:
        """Write decisions, all or none; they are on the disk when this returns.

        Args:
            entries: Decisions; one whose request id is in the journal already, with the same
                text, is left as it was first written.
            texts: Request id to text, where the journal is to keep it.

        Returns:
            How many were new.

        Raises:
            ServiceError: PF709 where a request id is taken by another text; PF703 to PF706 where
                the database fails.
        """
        unique = {entry.request_id: entry for entry in reversed(entries)}
        taken = [e for e in entries if unique[e.request_id].text_sha256 != e.text_sha256]
        if taken:
            raise self._taken(taken[0].request_id)
        ids = list(dict.fromkeys(entry.request_id for entry in entries))
        rows = [{name: getattr(unique[key], name) for name in _FIELDS} for key in ids]
        kept = [{"request_id": key, "text": texts[key]} for key in ids if key in texts]
        if not rows:
            return 0
        with self.writing() as connection:
            n_new = self._insert_new(connection, decisions, rows)
            if n_new < len(rows):
                for request_id, text_sha256 in self._known(connection, ids).items():
                    if unique[request_id].text_sha256 != text_sha256:
                        raise self._taken(request_id)
            if kept:
                self._insert_new(connection, text_rows, kept)
        return n_new

    def _insert_new(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> int:
        """Insert the rows whose request id is not there yet; gives how many those were."""
        ids = [table.c.request_id]
        if self._engine.dialect.name == "sqlite":
            lite = sqlite.insert(table).on_conflict_do_nothing(index_elements=ids)
            return int(connection.execute(lite, rows).rowcount)
        # PostgreSQL's driver does not count the rows of several insertions.
        made = postgresql.insert(table).on_conflict_do_nothing(index_elements=ids).returning(*ids)
        return len(connection.execute(made, rows).all())

    def count(self) -> int:
        """How many decisions there are.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return int(connection.execute(select(func.count(decisions.c.id))).scalar_one())

    def read(self, limit: int = 100) -> list[Entry]:
        """The newest decisions, oldest of them first.

        Args:
            limit: How many at most.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        newest = select(*_COLUMNS).order_by(decisions.c.id.desc()).limit(limit)
        with self.reading() as connection:
            rows = connection.execute(newest).mappings().all()
        return [Entry(**row) for row in reversed(rows)]

    def book(self, bookings: Sequence[Booking], *, left: Hold | None = None) -> int:
        """Write cost lines, all or none; they are on the disk when this returns.

        Args:
            bookings: Costs; one whose id is in the journal already, for the same money, is left
                as it was first written, so that nothing is booked twice.
            left: What their holder holds from now on, changed together with the booking.

        Returns:
            How many were new.

        Raises:
            ServiceError: PF713 where an id is taken by another line; PF703 to PF706 where the
                database fails.
        """
        rows: dict[str, dict[str, Any]] = {}
        for booking in bookings:
            row = booking.as_row()
            _same_line(rows.setdefault(booking.booking_id, row), row)
        with self.writing() as connection:
            known = self._rows_of(connection, list(rows))
            for booking_id, row in known.items():
                _same_line(row, rows[booking_id])
            new = [row for booking_id, row in rows.items() if booking_id not in known]
            if new:
                connection.execute(insert(costs), new)
            if left is not None:
                _put(connection, left)
        return len(new)

    def hold(self, hold: Hold, allowed: Callable[[list[Booking], list[Hold]], Hold]) -> Hold:
        """Hold money of a budget: looked at and held in one transaction, whoever else asks.

        Args:
            hold: Who asks, for which project.
            allowed: Called with what the project has booked this month without labels, and with
                the holds of others on it; gives what is to be held, or raises.

        Returns:
            What is held now.

        Raises:
            ServiceError: PF703 to PF706 where the database fails; else what ``allowed`` raises.
        """
        with self.writing() as connection:
            held = allowed(*_standing(connection, hold.project, hold.holder))
            _put(connection, held)
        return held

    def standing(self, project: str, holder: str = "") -> tuple[list[Booking], list[Hold]]:
        """What a project has booked this month without labels, and what others hold of it.

        Args:
            project: Whose money it is.
            holder: Who asks; its own hold is left out.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return _standing(connection, project, holder)

    def release(self, holder: str) -> None:
        """Hold nothing any more.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.writing() as connection:
            connection.execute(delete(holds).where(holds.c.holder == holder))

    def booked_among(self, booking_ids: Iterable[str]) -> set[str]:
        """Which of some ids of cost lines are in the journal.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return set(self._rows_of(connection, list(booking_ids)))

    def bookings(self, month: str = "") -> list[Booking]:
        """Cost lines in the order in which they were booked.

        Args:
            month: Only those of a month such as ``"2026-11"``; all where it is empty.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        wanted = select(costs).order_by(costs.c.id)
        if month:
            wanted = wanted.where(costs.c.time_utc.startswith(month, autoescape=True))
        with self.reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [Booking.from_row(row) for row in rows]

    @cached_property
    def salt(self) -> str:
        """The secret that customers' names are hashed with in this journal.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            wanted = select(settings.c.value).where(settings.c.name == SALT)
            return str(connection.execute(wanted).scalar_one())

    def check(self) -> None:
        """Make sure that the next decision can be written, without writing one.

        Raises:
            ServiceError: PF703 to PF706 where it could not.
        """
        nothing = update(migrations).where(migrations.c.number < 0).values(name="")
        with self.writing() as connection:
            connection.execute(nothing)

    def close(self) -> None:
        """Let the database go; closing twice does no harm."""
        if self._tidier is not None:
            self._tidier.close()
        self._engine.dispose()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Journal({self._where!r})"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with database_errors(self._where), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer is in: all of it is kept, or nothing.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with database_errors(self._where), self._writing() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._writer, self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                # Take the write lock first: upgrading a read lock later could fail for ever.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection

    def _known(self, connection: Connection, request_ids: list[str]) -> dict[str, str]:
        """Text hashes of those request ids that are in the journal."""
        known: dict[str, str] = {}
        wanted = select(decisions.c.request_id, decisions.c.text_sha256)
        for start in range(0, len(request_ids), _BLOCK):
            block = request_ids[start : start + _BLOCK]
            rows = connection.execute(wanted.where(decisions.c.request_id.in_(block)))
            known.update((row[0], row[1]) for row in rows)
        return known

    def _rows_of(self, connection: Connection, ids: list[str]) -> dict[str, Any]:
        """The cost lines in the journal of those ids."""
        known: dict[str, Any] = {}
        for start in range(0, len(ids), _BLOCK):
            block = costs.c.booking_id.in_(ids[start : start + _BLOCK])
            rows = connection.execute(select(costs).where(block)).mappings()
            known.update((row["booking_id"], row) for row in rows)
        return known

    def _taken(self, request_id: str) -> ServiceError:
        return ServiceError(
            "PF709",
            f"request_id '{request_id[:100]}'",
            "it is in the journal with another text",
            mend="Send a new request_id.",
        )


def _standing(
    connection: Connection, project: str, holder: str
) -> tuple[list[Booking], list[Hold]]:
    now = now_utc()
    booked = select(costs).where(
        costs.c.time_utc.startswith(now[:7], autoescape=True),
        costs.c.project == project,
        costs.c.step != Step.LABELS.value,
    )
    rows = connection.execute(booked).mappings().all()
    of_project = select(holds).where(holds.c.project == project)
    found = map(Hold.from_row, connection.execute(of_project).mappings().all())
    others = [one for one in found if one.holder != holder and not one.is_over(now)]
    return [Booking.from_row(row) for row in rows], others


def _put(connection: Connection, hold: Hold) -> None:
    """Write a holder's hold in place of the one before, and clear away those that are over."""
    now = now_utc()
    rows = connection.execute(select(holds)).mappings().all()
    over = [row["holder"] for row in rows if Hold.from_row(row).is_over(now)]
    connection.execute(delete(holds).where(holds.c.holder.in_([hold.holder, *over])))
    connection.execute(insert(holds), [hold.as_row()])


def _same_line(kept: Any, row: Mapping[str, Any]) -> None:
    """Refuse to book other money under an id that is taken."""
    differing = [key for key in ("amount", "currency", "project", "step") if kept[key] != row[key]]
    if differing:
        key = differing[0]
        raise ServiceError(
            "PF713",
            f"booking '{str(row['booking_id'])[:100]}'",
            f"it is booked with the {key} {kept[key]}, and {row[key]} was to be booked",
            mend="Book a correction under an id of its own.",
        )


def _engine(address: str, timeout_s: float, *, by_itself: bool) -> Engine:
    url = make_url(address)
    if url.get_backend_name() == "postgresql":
        require("psycopg", "postgres", "a journal in PostgreSQL")
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": timeout_s, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: object) -> None:
        pragmas = ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]
        pragmas += ["secure_delete = ON"]  # what is forgotten leaves no trace in the file
        for pragma in pragmas if by_itself else [*pragmas, "wal_autocheckpoint = 0"]:
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _shown(address: str) -> str:
    """The address without its password."""
    try:
        url = make_url(address)
    except ArgumentError:
        return "journal"
    if url.get_backend_name() == "sqlite":
        return url.database or "journal in memory"
    return url.render_as_string(hide_password=True)
