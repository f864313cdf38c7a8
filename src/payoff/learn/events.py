"""Events: what happened in experiments and with alerts, the newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events, experiment_events

_MOST = 50


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        time_utc: When.
        name: Of the experiment or the alert.
        event: What happened, in a word.
        facts: What is known of it.
    """

    time_utc: str
    name: str
    event: str
    facts: Mapping[str, Any]


def experiment_log(journal: Journal, limit: int = _MOST) -> list[Event]:
    """What happened in experiments.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     experiment_log(journal)
        []
    """
    return _newest(journal, experiment_events, "experiment", limit)


def alert_log(journal: Journal, limit: int = _MOST) -> list[Event]:
    """Alerts that were raised, silenced or are over.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     alert_log(journal)
        []
    """
    return _newest(journal, alert_events, "alert", limit)


def _newest(journal: Journal, table: Table, name: str, limit: int) -> list[Event]:
    with journal.reading() as connection:
        wanted = select(table).order_by(table.c.id.desc()).limit(limit)
        rows = connection.execute(wanted).mappings().all()
    return [Event(row["time_utc"], row[name], row["event"], _read(row["facts"])) for row in rows]


def _read(facts: str) -> dict[str, Any]:
    """Facts as they were written; in one piece where they are no JSON object."""
    try:
        found = json.loads(facts)
    except ValueError:
        found = facts
    return found if isinstance(found, dict) else {"facts": found}
