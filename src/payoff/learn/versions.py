"""Versions of a model: which were made, which one is released now, and what came before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import versions

MADE, RELEASED, WITHDRAWN = "made", "released", "withdrawn"


@dataclass(frozen=True, slots=True)
class VersionEvent:
    """Something that happened to a version.

    Args:
        model: Name of the model that it is a version of.
        event: ``"made"``, ``"released"`` or ``"withdrawn"``.
        artifact_sha256: Of the artifact, which tells versions apart.
        facts: Plain values: where it lies, what it was made from, why.
        time_utc: When.
    """

    model: str
    event: str
    artifact_sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    time_utc: str = ""


def note_made(
    journal: Journal, model: str, artifact_sha256: str, facts: Mapping[str, Any]
) -> VersionEvent:
    """Note that a version was made; the same artifact is noted once.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     note_made(journal, "support", "a" * 64, {"artifact": "support.2.payoff"}).event
        'made'
    """
    with journal.writing() as connection:
        for one in _events(connection, model):
            if (one.event, one.artifact_sha256) == (MADE, artifact_sha256):
                return one
        return _note(connection, model, MADE, artifact_sha256, facts)


def release(
    journal: Journal, model: str, artifact_sha256: str, facts: Mapping[str, Any] | None = None
) -> VersionEvent:
    """Note that a version serves from now on; a version of before `payoff retrain` needs no making.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     release(journal, "support", "a" * 64).event
        'released'
    """
    with journal.writing() as connection:
        return _note(connection, model, RELEASED, artifact_sha256, facts or {})


def withdraw(
    journal: Journal, model: str, artifact_sha256: str, facts: Mapping[str, Any] | None = None
) -> VersionEvent:
    """Note that a version shall serve no more; what was released before it is released again.

    Raises:
        ServiceError: PF772 where that version is not released; PF703 to PF706 where the database
            fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "support", "a" * 64)
        ...     _ = withdraw(journal, "support", "a" * 64)
        ...     released(journal, "support")
    """
    with journal.writing() as connection:
        standing = _standing(_events(connection, model))
        if artifact_sha256 not in [one.artifact_sha256 for one in standing]:
            raise _none(model, f"the version {artifact_sha256[:12]} is not released")
        return _note(connection, model, WITHDRAWN, artifact_sha256, facts or {})


def roll_back(journal: Journal, model: str, facts: Mapping[str, Any] | None = None) -> VersionEvent:
    """Withdraw the version that is released, and release the earlier one again, both or neither.

    Returns:
        The release of the earlier one.

    Raises:
        ServiceError: PF772 where nothing was released before; PF703 to PF706 where the database
            fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "support", "a" * 64), release(journal, "support", "b" * 64)
        ...     roll_back(journal, "support").artifact_sha256[:3]
        'aaa'
    """
    with journal.writing() as connection:
        standing = _standing(_events(connection, model))
        if len(standing) < 2:
            raise _none(model, "no earlier version was released")
        now, before = standing[-1], standing[-2]
        _note(connection, model, WITHDRAWN, now.artifact_sha256, facts or {})
        return _note(connection, model, RELEASED, before.artifact_sha256, before.facts)


def history(journal: Journal, model: str) -> list[VersionEvent]:
    """All that happened to the versions of a model, in the order in which it was noted.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     history(journal, "support")
        []
    """
    with journal.reading() as connection:
        return _events(connection, model)


def released(journal: Journal, model: str) -> VersionEvent | None:
    """The release of the version that serves now; None where none is noted.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     released(journal, "support")
    """
    standing = _standing(history(journal, model))
    return standing[-1] if standing else None


def released_before(journal: Journal, model: str) -> VersionEvent | None:
    """The release that `roll_back` would bring back; None where there is none.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "support", "a" * 64)
        ...     released_before(journal, "support")
    """
    standing = _standing(history(journal, model))
    return standing[-2] if len(standing) > 1 else None


def _standing(events: list[VersionEvent]) -> list[VersionEvent]:
    """The releases that were not withdrawn, each version once, the newest last."""
    standing: dict[str, VersionEvent] = {}
    for one in events:
        if one.event in (RELEASED, WITHDRAWN):
            standing.pop(one.artifact_sha256, None)
        if one.event == RELEASED:
            standing[one.artifact_sha256] = one
    return list(standing.values())


def _events(connection: Connection, model: str) -> list[VersionEvent]:
    wanted = select(versions).where(versions.c.model == model).order_by(versions.c.id)
    return [
        VersionEvent(
            row["model"],
            row["event"],
            row["artifact_sha256"],
            json.loads(row["facts"]),
            row["time_utc"],
        )
        for row in connection.execute(wanted).mappings()
    ]


def _note(
    connection: Connection, model: str, event: str, sha256: str, facts: Mapping[str, Any]
) -> VersionEvent:
    made = VersionEvent(model, event, sha256, dict(facts), now_utc())
    row = {
        "model": model,
        "event": event,
        "artifact_sha256": sha256,
        "facts": json.dumps(made.facts, sort_keys=True, ensure_ascii=False),
        "time_utc": made.time_utc,
    }
    connection.execute(insert(versions), [row])
    return made


def _none(model: str, found: str) -> ServiceError:
    return ServiceError(
        "PF772", f"versions of '{model[:100]}'", found, mend="Release a version by its artifact."
    )
