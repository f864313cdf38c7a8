"""The journal's tables, as numbered steps that are never changed once released."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, Table, bindparam, func, insert, select, update
from sqlalchemy.schema import CreateColumn

from payoff.learn import tables
from payoff.learn.entry import as_utc
from payoff.learn.tables import migrations

SALT = "salt"
"""Setting of a journal: the secret that customers' names are hashed with."""

_LONG_AGO = "0001-01-01T00:00:00.000000Z"
_ADDED_BY_NINTH = ("sent_by",)
_ADDED_BY_FOURTH = (
    "customer",
    "segment",
    "tier",
    "cost",
    "experiment",
    "arm",
    "probabilities",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from the tables of one number to the next.

    Args:
        number: 1, 2, 3, … without gaps.
        name: What it does.
        apply: Does it, inside the caller's transaction.
    """

    number: int
    name: str
    apply: Callable[[Connection], None]


def _first(connection: Connection) -> None:
    """Decisions, without the columns that they got later."""
    _create_without(connection, tables.decisions, _ADDED_BY_FOURTH)


def _create_without(connection: Connection, now: Table, later: Collection[str]) -> None:
    columns = [column for column in now.columns if column.name not in later]
    copies = (column._copy() for column in columns)
    Table(now.name, MetaData(), *copies, **now.dialect_kwargs).create(connection)


def _add(connection: Connection, table: Table, names: Collection[str]) -> None:
    for name in names:
        column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column}")


def _fourth(connection: Connection) -> None:
    """What is needed to replay a decision."""
    _add(connection, tables.decisions, _ADDED_BY_FOURTH)
    for index in tables.decisions.indexes:
        if {column.name for column in index.columns} <= set(_ADDED_BY_FOURTH):
            index.create(connection)
    tables.settings.create(connection)
    connection.execute(insert(tables.settings).values(name=SALT, value=secrets.token_hex(16)))


def _fifth(connection: Connection) -> None:
    """Feedback, without the column that it got later, and texts."""
    _create_without(connection, tables.feedback, _ADDED_BY_NINTH)
    tables.texts.create(connection)


def _ninth(connection: Connection) -> None:
    """Who sent feedback, times that compare as text, and by which chance labels were asked for."""
    _add(connection, tables.feedback, _ADDED_BY_NINTH)
    settle_times(connection)
    tables.asked.create(connection)
    tables.audit_rounds.create(connection)


def settle_times(connection: Connection) -> None:
    """Write the times of feedback as the journal does; what is no time counts as long ago.

    Args:
        connection: With a transaction that keeps other writers out.

    Example:
        >>> from sqlalchemy import create_engine
        >>> with create_engine("sqlite://").begin() as connection:
        ...     _ = migrate(connection, "2024-01-01T00:00:00Z")
        ...     settle_times(connection)
    """
    told = tables.feedback
    usual = told.c.time_utc.like("____-__-__T__:__:__.______Z")
    rows = connection.execute(select(told.c.id, told.c.time_utc).where(~usual)).all()
    settled = [{"row": row, "time": as_utc(time) or _LONG_AGO} for row, time in rows]
    if settled:
        which = told.c.id == bindparam("row")
        connection.execute(update(told).where(which).values(time_utc=bindparam("time")), settled)


def _make(*made: Table) -> Callable[[Connection], None]:
    def apply(connection: Connection) -> None:
        for table in made:
            table.create(connection)

    return apply


MIGRATIONS = (
    Migration(1, "decisions", _first),
    Migration(2, "costs", _make(tables.costs)),
    Migration(3, "holds", _make(tables.holds)),
    Migration(4, "what replays a decision", _fourth),
    Migration(5, "feedback and texts", _fifth),
    Migration(6, "experiments", _make(tables.experiment_events)),
    Migration(7, "alerts", _make(tables.alert_events)),
    Migration(8, "versions and keys", _make(tables.versions, tables.api_keys)),
    Migration(9, "who sent feedback, and whom people were asked about", _ninth),
)


def migrate(connection: Connection, now_utc: str, *, up_to: int = len(MIGRATIONS)) -> int:
    """Bring the tables up to a number, in the caller's transaction.

    Args:
        connection: With a transaction that keeps other writers out.
        now_utc: Noted beside each step.
        up_to: The number; the newest where not given.

    Returns:
        The number that was found; larger than the newest known one where a newer payoff wrote it.

    Example:
        >>> from sqlalchemy import create_engine
        >>> with create_engine("sqlite://").begin() as connection:
        ...     migrate(connection, "2024-01-01T00:00:00Z", up_to=3), migrate(connection, "")
        (0, 3)
    """
    migrations.create(connection, checkfirst=True)
    found = connection.execute(select(func.max(migrations.c.number))).scalar() or 0
    for step in MIGRATIONS:
        if found < step.number <= up_to:
            step.apply(connection)
            connection.execute(
                insert(migrations).values(number=step.number, name=step.name, applied_utc=now_utc)
            )
    return int(found)
