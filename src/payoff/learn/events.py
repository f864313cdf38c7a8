"""Events: what happened in experiments and with alerts, the newest first."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from payoff.learn.experiments.book import courses
from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events, experiment_events
from payoff.learn.watching.alert_book import AlertBook

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


def experiment_log(
    journal: Journal, limit: int = _MOST, *, model: str | None = None
) -> list[Event]:
    """What happened in experiments.

    Args:
        journal: Where they were started.
        limit: How many events at most.
        model: Only those on the model of that name; all where None.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     experiment_log(journal)
        []
    """
    names = None
    if model is not None:
        names = [c.experiment.name for c in courses(journal) if c.experiment.model == model]
    return _newest(journal, experiment_events, "experiment", limit, names)


def alert_log(
    journal: Journal, limit: int = _MOST, *, models: Collection[str] | None = None
) -> list[Event]:
    """Alerts that were raised, silenced or are over.

    Args:
        journal: Where they were raised.
        limit: How many events at most.
        models: Only those of models of these names; all where None.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     alert_log(journal)
        []
    """
    names = None
    if models is not None:
        states = AlertBook(journal).states().items()
        names = [key for key, state in states if state.alert.model in models]
    return _newest(journal, alert_events, "alert", limit, names)


def _newest(
    journal: Journal, table: Table, name: str, limit: int, names: Sequence[str] | None
) -> list[Event]:
    wanted = select(table).order_by(table.c.id.desc()).limit(limit)
    if names is not None:
        wanted = wanted.where(table.c[name].in_(names))
    with journal.reading() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [Event(row["time_utc"], row[name], row["event"], _read(row["facts"])) for row in rows]


def _read(facts: str) -> dict[str, Any]:
    """Facts as they were written; in one piece where they are no JSON object."""
    try:
        found = json.loads(facts)
    except ValueError:
        found = facts
    return found if isinstance(found, dict) else {"facts": found}
