"""Failures of a journal's database, as payoff tells them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from payoff.core.errors import ServiceError

_FREE = "Free some space; the service goes on by itself."
_RIGHTS = "Give a path that the service may write to."
_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("PF703", "Try again; find the process that holds the database."),
    sqlite3.SQLITE_LOCKED: ("PF703", "Try again; find the process that holds the database."),
    sqlite3.SQLITE_FULL: ("PF704", _FREE),
    sqlite3.SQLITE_IOERR: ("PF704", "Check the disk: it is full or failing."),
    sqlite3.SQLITE_READONLY: ("PF705", _RIGHTS),
    sqlite3.SQLITE_CANTOPEN: ("PF705", _RIGHTS),
    sqlite3.SQLITE_PERM: ("PF705", _RIGHTS),
}
_POSTGRESQL: dict[str, tuple[str, str]] = {  # by SQLSTATE
    "55P03": ("PF703", "Try again; find the process that holds the database."),
    "40P01": ("PF703", "Try again; find the process that holds the database."),
    "53100": ("PF704", _FREE),
    "25006": ("PF705", "Give a database that the service may write to."),
    "42501": ("PF705", "Give the service's role the right to write there."),
}


@contextmanager
def database_errors(where: str) -> Iterator[None]:
    """Translate what a database says into PF703 to PF706.

    Args:
        where: The database, without its password.

    Raises:
        ServiceError: PF703 where it stays locked, PF704 on a full disk, PF705 where it cannot be
            written, PF706 where it cannot be used.

    Example:
        >>> with database_errors("journal.db"):
        ...     raise ArgumentError("no such driver")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF706 journal.db: no such driver\
 (expected a file, or a URL whose driver is installed).
    """
    try:
        yield
    except DBAPIError as error:
        raise _coded(where, error.orig or error) from error
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ServiceError(
            "PF706",
            where,
            str(error).splitlines()[0][:200],
            expected="a file, or a URL whose driver is installed",
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _coded(where, error) from error


def _coded(where: str, error: BaseException) -> ServiceError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    code, mend = _SQLITE.get(primary, ("PF706", "Keep the file and give another path."))
    if not primary:
        there = ("PF706", "Check that the database is there and answers.")
        code, mend = _POSTGRESQL.get(str(getattr(error, "sqlstate", "")), there)
    return ServiceError(code, where, str(error).splitlines()[0][:200], mend=mend)
