"""Backup of a journal: every table as JSON lines in one zip, of whichever database.

It does not depend on the database, so that it also moves a journal from SQLite to PostgreSQL when
one machine is no longer enough, and back.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from payoff.core.errors import ServiceError
from payoff.core.files import disk_errors
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.migrations import MIGRATIONS, settle_times
from payoff.learn.tables import TABLES, holds, migrations

_FORMAT = 1
_FACTS = "backup.json"
_ROWS = 1000
_OLDEST = 4  # number of tables that a backup can be of
_SECRETS = "settings"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Args:
        made_utc: When it was made.
        rows: Rows by table.

    Example:
        >>> Backup("2026-11-30T00:00:00Z", {"decisions": 3, "feedback": 1}).n_rows
        4
    """

    made_utc: str
    rows: dict[str, int]

    @property
    def n_rows(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def _tables() -> list[Table]:
    """What is kept: all but holds, which belong to processes that run."""
    return [t for t in TABLES.sorted_tables if t.name not in (holds.name, migrations.name)]


def back_up(journal: Journal, path: Path) -> Backup:
    """Write a backup of one moment, whatever is written meanwhile.

    Args:
        journal: What is kept.
        path: The zip; it appears when it is whole.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
        MachineError: PF801 on a full disk, PF802 where it cannot be written.

    Example:
        >>> back_up(journal, Path("kept.zip")).n_rows  # doctest: +SKIP
        48210
    """
    part = path.with_name(f".{path.name}.part")
    facts: dict[str, Any] = {"format": _FORMAT, "number": len(MIGRATIONS), "made_utc": now_utc()}
    facts["tables"] = {}
    with disk_errors(path), _removed_after(part):
        with _one_moment(journal) as connection, zipfile.ZipFile(part, "w", _DEFLATED) as zipped:
            for table in _tables():
                digest, n = hashlib.sha256(), 0
                with zipped.open(f"{table.name}.jsonl", "w", force_zip64=True) as member:
                    for line in _lines(connection, table):
                        digest.update(line)
                        member.write(line)
                        n += 1
                facts["tables"][table.name] = {"rows": n, "sha256": digest.hexdigest()}
            zipped.writestr(_FACTS, json.dumps(facts, indent=1))
        with part.open("rb+") as whole:
            os.fsync(whole.fileno())
        part.replace(path)
    return _told(facts)


_DEFLATED = zipfile.ZIP_DEFLATED
_OF_ZIP = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)
_BROKEN = (*_OF_ZIP, KeyError, ValueError, TypeError, AttributeError)
"""What reading says of a file that is no backup, or of one that a disk or somebody has changed."""


def restore(path: Path, journal: Journal) -> Backup:
    """Bring a backup back into a journal that holds nothing yet: all of it, or nothing.

    Raises:
        ServiceError: PF725 where the file is no backup, or was altered; PF726 where the journal
            holds something; PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     restore(Path("nowhere.zip"), journal)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF725 nowhere.zip: FileNotFoundError: ...
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            facts = json.loads(zipped.read(_FACTS))
            if facts["format"] != _FORMAT or not _OLDEST <= facts["number"] <= len(MIGRATIONS):
                raise _no_backup(path, f"format {facts['format']}, tables {facts['number']}")
            with journal.writing() as connection:
                _refuse_full(journal, connection)
                for table in _tables():
                    told = facts["tables"].get(table.name)
                    if told is not None:
                        _bring_back(connection, zipped, table, told, path)
                settle_times(connection)
                _count_on(journal, connection)
    except _BROKEN as error:
        raise _no_backup(path, f"{type(error).__name__}: {error}"[:200]) from error
    vars(journal).pop("salt", None)
    return _told(facts)


def _bring_back(
    connection: Connection, zipped: zipfile.ZipFile, table: Table, told: Any, path: Path
) -> None:
    if table.name == _SECRETS:  # the journal made its own secret when it was opened
        connection.execute(table.delete())
    digest, n, rows = hashlib.sha256(), 0, []
    with zipped.open(f"{table.name}.jsonl") as member:
        for line in member:
            digest.update(line)
            rows.append(_read(table, json.loads(line)))
            n += 1
            if len(rows) == _ROWS:
                connection.execute(insert(table), rows)
                rows = []
    if rows:
        connection.execute(insert(table), rows)
    if (n, digest.hexdigest()) != (told["rows"], told["sha256"]):
        raise _no_backup(path, f"{table.name} was altered")


def _refuse_full(journal: Journal, connection: Connection) -> None:
    for table in _tables():
        n = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if n and table.name != _SECRETS:
            raise ServiceError(
                "PF726", repr(journal), f"{table.name} has {n:,} rows", expected="an empty journal"
            )


def _count_on(journal: Journal, connection: Connection) -> None:
    """Let PostgreSQL number new rows behind those that came with their numbers."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        if "id" in table.c:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'),"
                    f" (SELECT COALESCE(MAX(id), 0) + 1 FROM {table.name}), false)"
                )
            )


@contextmanager
def _one_moment(journal: Journal) -> Iterator[Connection]:
    """A connection that sees one moment of the database."""
    with journal.reading() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    ordered = select(table).order_by(*(table.c["id"],) if "id" in table.c else table.primary_key)
    for row in connection.execution_options(yield_per=_ROWS).execute(ordered).mappings():
        plain = {k: _plain(v) for k, v in row.items()}
        yield json.dumps(plain, ensure_ascii=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    return value


def _read(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    for column in table.columns:
        value = row.get(column.name)
        if isinstance(column.type, LargeBinary) and value is not None:
            row[column.name] = base64.b64decode(value["base64"], validate=True)
    return row


@contextmanager
def _removed_after(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _told(facts: dict[str, Any]) -> Backup:
    return Backup(facts["made_utc"], {name: t["rows"] for name, t in facts["tables"].items()})


def _no_backup(path: Path, found: str) -> ServiceError:
    return ServiceError(
        "PF725", str(path), found, expected="a whole file that payoff journal backup wrote"
    )
