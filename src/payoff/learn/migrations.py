"""The journal's tables, as numbered steps that are never changed once released."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, Table, func, insert, select
from sqlalchemy.schema import CreateColumn

from payoff.learn import tables
from payoff.learn.tables import migrations

SALT = "salt"
"""Setting of a journal: the secret that customers' names are hashed with."""

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
    now = tables.decisions
    columns = [column for column in now.columns if column.name not in _ADDED_BY_FOURTH]
    Table(now.name, MetaData(), *(column._copy() for column in columns)).create(connection)


def _fourth(connection: Connection) -> None:
    """What is needed to replay a decision."""
    for name in _ADDED_BY_FOURTH:
        column = CreateColumn(tables.decisions.c[name]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE decisions ADD COLUMN {column}")
    for index in tables.decisions.indexes:
        if {column.name for column in index.columns} <= set(_ADDED_BY_FOURTH):
            index.create(connection)
    tables.settings.create(connection)
    connection.execute(insert(tables.settings).values(name=SALT, value=secrets.token_hex(16)))


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
    Migration(5, "feedback and texts", _make(tables.feedback, tables.texts)),
    Migration(6, "experiments", _make(tables.experiment_events)),
    Migration(7, "alerts", _make(tables.alert_events)),
    Migration(8, "versions and keys", _make(tables.versions, tables.api_keys)),
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
