"""Versions of a model: which were made, which one is released now, and what came before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import versions

MADE, RELEASED, WITHDRAWN = "made", "released", "withdrawn"

PLACE = "artifact"
"""Key of the path among an event's facts."""


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


def note_place(journal: Journal, model: str, artifact_sha256: str, place: str) -> None:
    """Note where the artifact of a version lies, unless that was noted before.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     note_place(journal, "support", "a" * 64, "support.payoff")
        ...     release(journal, "support", "a" * 64).facts
        {'artifact': 'support.payoff'}
    """
    with journal.writing() as connection:
        if not place_in(_events(connection, model), artifact_sha256):
            _note(connection, model, MADE, artifact_sha256, {PLACE: place})


def release(
    journal: Journal, model: str, artifact_sha256: str, facts: Mapping[str, Any] | None = None
) -> VersionEvent:
    """Note that a version serves from now on; one that does already is noted once.

    Where it lies is taken from what was noted of it before, unless the facts say it. A version of
    before `payoff retrain` needs no making.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     release(journal, "support", "a" * 64).event
        'released'
    """
    with journal.writing() as connection:
        return put_in_place(connection, model, artifact_sha256, facts or {})


def put_in_place(
    connection: Connection, model: str, artifact_sha256: str, facts: Mapping[str, Any]
) -> VersionEvent:
    """`release` within a transaction of the caller's, such as that of a promotion.

    Example:
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     put_in_place(connection, "support", "a" * 64, {"why": "promoted"}).event
        'released'
    """
    events = _events(connection, model)
    told = {**facts}
    place = place_in(events, artifact_sha256)
    if place and not told.get(PLACE):
        told[PLACE] = place
    standing = standing_releases(events)
    now = standing[-1] if standing else None
    same = now is not None and now.artifact_sha256 == artifact_sha256
    if now is not None and same and now.facts.get(PLACE) == told.get(PLACE):
        return now
    return _note(connection, model, RELEASED, artifact_sha256, told)


def standing_within(connection: Connection, model: str) -> list[VersionEvent]:
    """`standing_releases` within a transaction of the caller's.

    Example:
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     standing_within(connection, "support")
        []
    """
    return standing_releases(_events(connection, model))


def begun_with(
    journal: Journal, model: str, artifact_sha256: str, facts: Mapping[str, Any]
) -> VersionEvent:
    """Release the version that a service is started with, unless that was released before.

    Whoever starts a service with a new version wants it; whoever starts it with an old one, as
    after a promotion, wants what is released.

    Returns:
        The release that stands now.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     for sha256 in ("a" * 64, "b" * 64, "a" * 64):
        ...         begun_with(journal, "support", sha256, {}).artifact_sha256[:3]
        'aaa'
        'bbb'
        'bbb'
    """
    with journal.writing() as connection:
        events = _events(connection, model)
        standing = standing_releases(events)
        before = {one.artifact_sha256 for one in events if one.event == RELEASED}
        if standing and artifact_sha256 in before:
            return standing[-1]
        return put_in_place(connection, model, artifact_sha256, facts)


def place_in(events: Sequence[VersionEvent], artifact_sha256: str) -> str:
    """Where the artifact of a version lies, by what was noted of it last; empty where nobody said.

    Example:
        >>> made = VersionEvent("support", MADE, "a" * 64, {"artifact": "support.2.payoff"})
        >>> place_in([made], "a" * 64), place_in([made], "b" * 64)
        ('support.2.payoff', '')
    """
    noted = [one.facts.get(PLACE) for one in events if one.artifact_sha256 == artifact_sha256]
    return next((str(one) for one in reversed(noted) if one), "")


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
        standing = standing_releases(_events(connection, model))
        if artifact_sha256 not in [one.artifact_sha256 for one in standing]:
            raise _none(model, f"the version {artifact_sha256[:12]} is not released")
        return _note(connection, model, WITHDRAWN, artifact_sha256, facts or {})


def roll_back(
    journal: Journal,
    model: str,
    facts: Mapping[str, Any] | None = None,
    *,
    withdrawing: str | None = None,
) -> VersionEvent:
    """Withdraw the version that is released, and release the earlier one again, both or neither.

    Args:
        journal: Of the service.
        model: Whose version.
        facts: Why, and by whom.
        withdrawing: SHA-256 of the version that is meant. Where it was withdrawn already, nothing
            is done: asked twice, it goes back once.

    Returns:
        The release that stands now.

    Raises:
        ServiceError: PF772 where nothing was released before; PF788 where another version is
            released than the one that is meant; PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "support", "a" * 64), release(journal, "support", "b" * 64)
        ...     roll_back(journal, "support").artifact_sha256[:3]
        'aaa'
    """
    with journal.writing() as connection:
        events = _events(connection, model)
        standing = standing_releases(events)
        if withdrawing is not None and is_withdrawn(events, withdrawing) and standing:
            return standing[-1]
        now, before = last_two(standing, model, withdrawing)
        return put_back(connection, now, before, facts or {})


def put_back(
    connection: Connection, now: VersionEvent, before: VersionEvent, facts: Mapping[str, Any]
) -> VersionEvent:
    """`roll_back` of one release to another, within a transaction of the caller's.

    Example:
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     old, new = (put_in_place(connection, "m", one * 64, {}) for one in "ab")
        ...     put_back(connection, new, old, {"why": "it loses"}).artifact_sha256[:3]
        'aaa'
    """
    _note(connection, now.model, WITHDRAWN, now.artifact_sha256, facts)
    return _note(connection, now.model, RELEASED, before.artifact_sha256, before.facts)


def last_two(
    standing: Sequence[VersionEvent], model: str, meant: str | None = None
) -> tuple[VersionEvent, VersionEvent]:
    """The release that serves and the one before it.

    Args:
        standing: Releases that were not withdrawn, the newest last: `standing_releases`.
        model: Of which they are.
        meant: SHA-256 of the version that is meant to serve; None where any is.

    Raises:
        ServiceError: PF772 where there are no two; PF788 where another one serves.

    Example:
        >>> last_two([VersionEvent("support", RELEASED, "a" * 64)], "support")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF772 versions of 'support': no earlier version was\
 released. Release a version by its artifact.
    """
    if standing and meant is not None and standing[-1].artifact_sha256 != meant:
        raise ServiceError(
            "PF788",
            f"versions of '{model[:100]}'",
            f"{standing[-1].artifact_sha256[:12]} is released",
            expected=meant[:12],
        )
    if len(standing) < 2:
        raise _none(model, "no earlier version was released")
    return standing[-1], standing[-2]


def is_withdrawn(events: Sequence[VersionEvent], artifact_sha256: str) -> bool:
    """Whether that is the last thing that happened to a version.

    Example:
        >>> is_withdrawn([VersionEvent("support", WITHDRAWN, "a" * 64)], "a" * 64)
        True
    """
    done = [one.event for one in events if one.artifact_sha256 == artifact_sha256]
    return bool(done) and done[-1] == WITHDRAWN


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
    standing = standing_releases(history(journal, model))
    return standing[-1] if standing else None


def models_with_versions(journal: Journal) -> list[str]:
    """Names of the models that something was noted of, sorted.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "support", "a" * 64)
        ...     models_with_versions(journal)
        ['support']
    """
    with journal.reading() as connection:
        return sorted(connection.execute(select(versions.c.model).distinct()).scalars())


def standing_releases(events: Sequence[VersionEvent]) -> list[VersionEvent]:
    """The releases that were not withdrawn, each version once, the newest last.

    Example:
        >>> done = [(RELEASED, "a"), (RELEASED, "b"), (RELEASED, "a"), (WITHDRAWN, "b")]
        >>> found = standing_releases([VersionEvent("m", event, sha) for event, sha in done])
        >>> [one.artifact_sha256 for one in found]
        ['a']
    """
    standing: dict[str, VersionEvent] = {}
    for one in events:
        if one.event in (RELEASED, WITHDRAWN):
            standing.pop(one.artifact_sha256, None)
        if one.event == RELEASED:
            standing[one.artifact_sha256] = one
    return list(standing.values())


def _events(connection: Connection, model: str) -> list[VersionEvent]:
    mine = versions.c
    columns = (mine.model, mine.event, mine.artifact_sha256, mine.facts, mine.time_utc)
    wanted = select(*columns).where(mine.model == model).order_by(mine.id)
    return [
        VersionEvent(name, event, sha256, json.loads(facts), time_utc)
        for name, event, sha256, facts, time_utc in connection.execute(wanted)
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
