"""Events: what happened to versions, in experiments and with alerts, the newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events, experiment_events, versions

_MOST = 50


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        time_utc: When.
        name: Of the experiment, the alert or the model.
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


def version_log(journal: Journal, limit: int = _MOST) -> list[Event]:
    """What was made, released and withdrawn.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     version_log(journal)
        []
    """
    return _newest(journal, versions, "model", limit)


def _newest(journal: Journal, table: Table, name: str, limit: int) -> list[Event]:
    with journal.reading() as connection:
        wanted = select(table).order_by(table.c.id.desc()).limit(limit)
        rows = connection.execute(wanted).mappings().all()
    events = []
    for row in rows:
        sha256 = row.get("artifact_sha256")
        facts = _read(row["facts"]) | ({"artifact_sha256": sha256} if sha256 else {})
        events.append(Event(row["time_utc"], row[name], row["event"], facts))
    return events


def _read(facts: str) -> dict[str, Any]:
    """Facts as they were written; in one piece where they are no JSON object."""
    try:
        found = json.loads(facts)
    except ValueError:
        found = facts
    return found if isinstance(found, dict) else {"facts": found}
