"""The journal's tables, as numbered steps that are never changed once released."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
)

TABLES = MetaData()

migrations = Table(
    "migrations",
    TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("applied_utc", String(32), nullable=False),
)

decisions = Table(
    "decisions",
    TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("request_id", String(200), nullable=False, unique=True),
    Column("time_utc", String(32), nullable=False, index=True),
    Column("artifact_sha256", String(64), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("action", String(1000), nullable=False),
    Column("label", String(1000), nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("worth", Float(53), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("latency_ms", Float(53), nullable=False),
)

costs = Table(
    "costs",
    TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("booking_id", String(200), nullable=False, unique=True),
    Column("time_utc", String(32), nullable=False, index=True),
    Column("project", String(1000), nullable=False),
    Column("step", String(20), nullable=False),
    Column("what", String(1000), nullable=False),
    # Decimal text: a sum over the lines must be exact, and SQLite has no decimals.
    Column("quantity", String(64), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("unit_price", String(64), nullable=False),
    Column("amount", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("as_of", String(10), nullable=True),
    Column("source", String(1000), nullable=False),
    Column("measured", Integer, nullable=False),
    Column("note", String(1000), nullable=False),
    Column("cpu_s", Float(53), nullable=True),
)

# What work under way may still spend: the one table whose rows are changed and taken away.
holds = Table(
    "holds",
    TABLES,
    Column("holder", String(200), primary_key=True),
    Column("project", String(1000), nullable=False, index=True),
    Column("what", String(1000), nullable=False),
    Column("amount", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("until_utc", String(32), nullable=False),
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
    decisions.create(connection)


def _second(connection: Connection) -> None:
    costs.create(connection)


def _third(connection: Connection) -> None:
    holds.create(connection)


MIGRATIONS = (
    Migration(1, "decisions", _first),
    Migration(2, "costs", _second),
    Migration(3, "holds", _third),
)


def migrate(connection: Connection, now_utc: str) -> int:
    """Bring the tables up to the newest number, in the caller's transaction.

    Args:
        connection: With a transaction that keeps other writers out.
        now_utc: Noted beside each step.

    Returns:
        The number that was found; larger than the newest known one where a newer payoff wrote it.

    Example:
        >>> from sqlalchemy import create_engine
        >>> with create_engine("sqlite://").begin() as connection:
        ...     migrate(connection, "2024-01-01T00:00:00Z"), migrate(connection, "")
        (0, 3)
    """
    migrations.create(connection, checkfirst=True)
    found = connection.execute(select(func.max(migrations.c.number))).scalar() or 0
    for step in MIGRATIONS:
        if step.number > found:
            step.apply(connection)
            connection.execute(
                insert(migrations).values(number=step.number, name=step.name, applied_utc=now_utc)
            )
    return int(found)
