"""The database of a journal: SQLite in WAL mode by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, update
from sqlalchemy.exc import ArgumentError

from payoff.core.errors import ServiceError
from payoff.core.extras import require
from payoff.learn.database_errors import database_errors
from payoff.learn.entry import now_utc
from payoff.learn.migrations import MIGRATIONS, SALT, migrate
from payoff.learn.tables import migrations, settings
from payoff.learn.tidier import Tidier

_LOCK = 1885434470
"""Names the journal's writer among the advisory locks of a PostgreSQL database."""


class Database:
    """An open database with a journal's tables.

    Safe to use from several threads, and from several processes on the same database. `open`
    makes one.

    Example:
        >>> with Database.open("sqlite://") as database, database.reading() as connection:
        ...     connection.exec_driver_sql("SELECT COUNT(*) FROM decisions").scalar_one()
        0
    """

    def __init__(self, engine: Engine, where: str, *, timeout_s: float = 5.0) -> None:
        self._engine = engine
        self._where = where
        self._timeout_ms = max(1, round(timeout_s * 1e3))
        self._tidier: Tidier | None = None
        # One writer at a time: SQLite allows no more, and waiting here is fair and cheap.
        self._writer = threading.Lock()

    @classmethod
    def open(cls, url: str | Path, *, timeout_s: float = 5.0, tidied_aside: bool = False) -> Self:
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
            journal = cls(engine, where, timeout_s=timeout_s)
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

    def clear_traces(self) -> None:
        """Move what SQLite wrote ahead into its file, and empty its log.

        What was taken out of the file is overwritten there, and the log still has it until then. In
        PostgreSQL that is the business of its own vacuum.

        Raises:
            ServiceError: PF703 where others read or write all the while, so that the log stays;
                PF704 to PF706 where the database fails.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with self._writer, self.reading() as connection:
            told = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if told[0]:
            raise ServiceError(
                "PF703",
                self._where,
                "what was taken out is still in its log, which somebody reads or writes",
                mend="Do it again when nobody does, such as a backup.",
            )

    def close(self) -> None:
        """Let the database go; closing twice does no harm."""
        if self._tidier is not None:
            self._tidier.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {self._timeout_ms};"
                    f" SELECT pg_advisory_xact_lock({_LOCK})"
                )
            yield connection


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
