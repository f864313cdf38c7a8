"""Feedback: what came out of a decision, told later, twice or out of order."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError
from payoff.learn.entry import as_utc, now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback

SOURCES = ("customer", "person", "system")
"""Who may tell what came out: the customer, a person who reviews, another system."""

MOST_WORTH = 1e15
"""Money beyond that is no request's: sums of it would not fit into a number."""

_BLOCK = 500
_KEPT = {  # characters, as the tables have them
    "request_id": 200,
    "label": 1000,
    "person": 200,
    "feedback_id": 200,
    "sent_by": 200,
}


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Feedback:
    """One thing that was learnt about one decision.

    Args:
        request_id: Of the decision; it need not be in the journal yet.
        label: What the request truly was; empty where that is not known.
        correct: Whether the action was right, where only that is known.
        worth: What the action truly earned, where somebody knows the money.
        source: One of `SOURCES`.
        person: Who labelled, where a person did.
        seconds: That the person took.
        feedback_id: Names it for ever: told again, it is written once.
        time_utc: When it was told, as ISO 8601; now where it is empty. It is kept in UTC, so that
            times can be compared as text.
        sent_by: Name of the API key that a program sent it by; empty for all else.

    Raises:
        ServiceError: PF716 where it says nothing, its source is unknown, or its time is none.

    Example:
        >>> Feedback("r-1", label="refund").source
        'system'
        >>> Feedback("r-1")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF716 feedback on 'r-1': it says nothing\
 (expected a label, whether the action was correct, or its worth).
    """

    request_id: str
    label: str = ""
    correct: bool | None = None
    worth: float | None = None
    source: str = "system"
    person: str = ""
    seconds: float | None = None
    feedback_id: str = field(default_factory=_new_id)
    time_utc: str = ""
    sent_by: str = ""

    def __post_init__(self) -> None:
        where = f"feedback on '{self.request_id[:100]}'"
        if not self.label and self.correct is None and self.worth is None:
            wanted = "a label, whether the action was correct, or its worth"
            raise ServiceError("PF716", where, "it says nothing", expected=wanted)
        if self.source not in SOURCES:
            raise ServiceError(
                "PF716", where, f"'{self.source[:100]}'", expected=", ".join(SOURCES)
            )
        moment = as_utc(self.time_utc) if self.time_utc else now_utc()
        if moment is None:
            wanted = "a time such as 2026-11-30T08:00:00Z"
            raise ServiceError("PF716", where, f"time_utc '{self.time_utc[:50]}'", expected=wanted)
        object.__setattr__(self, "time_utc", moment)

    def as_row(self) -> dict[str, Any]:
        """A row of the table."""
        row = asdict(self)
        return row | {"correct": None if self.correct is None else int(self.correct)}

    @classmethod
    def from_row(cls, row: Any) -> Feedback:
        """What `as_row` made, with whatever columns stand beside it."""
        told = {one.name: row[one.name] for one in fields(cls)}
        correct = told["correct"]
        return cls(**told | {"correct": None if correct is None else bool(correct)})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of feedback that was sent.

    Args:
        n_new: Written now.
        n_known: Written before, and left as it was.
        unknown: Request ids that the journal has no decision of; what was told of them is kept,
            and counts as soon as it has.
    """

    n_new: int
    n_known: int
    unknown: tuple[str, ...]


def take(journal: Journal, told: Sequence[Feedback]) -> Taken:
    """Write feedback, all or none; it is on the disk when this returns.

    Raises:
        ServiceError: PF716 where it holds what no database keeps; PF717 where an id is taken by
            feedback on another request, or that says something else; PF703 to PF706 where the
            database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     take(journal, [Feedback("r-1", label="refund")])
        Taken(n_new=1, n_known=0, unknown=('r-1',))
    """
    unique: dict[str, Feedback] = {}
    for one in told:
        _check(one)
        _same(unique.setdefault(one.feedback_id, one), one)
    with journal.writing() as connection:
        known = _known(connection, list(unique))
        for feedback_id, before in known.items():
            _same(before, unique[feedback_id])
        new = [one.as_row() for one in unique.values() if one.feedback_id not in known]
        if new:
            connection.execute(insert(feedback), new)
        found = _decided(connection, list({one.request_id for one in told}))
    unknown = dict.fromkeys(one.request_id for one in told if one.request_id not in found)
    return Taken(len(new), len(told) - len(new), tuple(unknown))


def told_of(journal: Journal, request_ids: Sequence[str]) -> list[Feedback]:
    """All feedback on some requests, in the order in which it was written.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     told_of(journal, ["r-1"])
        []
    """
    rows: list[Any] = []
    with journal.reading() as connection:
        for start in range(0, len(request_ids), _BLOCK):
            block = feedback.c.request_id.in_(request_ids[start : start + _BLOCK])
            wanted = select(feedback).where(block).order_by(feedback.c.id)
            rows += connection.execute(wanted).mappings().all()
    return [Feedback.from_row(row) for row in sorted(rows, key=lambda row: int(row["id"]))]


def decided_among(journal: Journal, request_ids: Sequence[str]) -> set[str]:
    """Which of some requests the journal has a decision of.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     decided_among(journal, ["r-1"])
        set()
    """
    with journal.reading() as connection:
        return _decided(connection, list(request_ids))


def _known(connection: Connection, ids: list[str]) -> dict[str, Feedback]:
    found: dict[str, Feedback] = {}
    for start in range(0, len(ids), _BLOCK):
        block = feedback.c.feedback_id.in_(ids[start : start + _BLOCK])
        rows = connection.execute(select(feedback).where(block)).mappings()
        found.update((row["feedback_id"], Feedback.from_row(row)) for row in rows)
    return found


def _decided(connection: Connection, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _BLOCK):
        block = decisions.c.request_id.in_(ids[start : start + _BLOCK])
        rows = connection.execute(select(decisions.c.request_id).where(block))
        found.update(row[0] for row in rows)
    return found


def _check(one: Feedback) -> None:
    """Refuse what one database would take and another one not."""
    where = f"feedback on {one.request_id[:100]!a}"
    for name, most in _KEPT.items():
        text = getattr(one, name)
        if "\0" in text:
            raise ServiceError("PF716", where, f"its {name} holds a NUL", expected="text")
        if len(text) > most:
            raise ServiceError(
                "PF716",
                where,
                f"its {name} has {len(text):,} characters",
                expected=f"at most {most:,}",
            )
    if one.worth is not None and not abs(one.worth) <= MOST_WORTH:
        wanted = f"at most {MOST_WORTH:g} either way"
        raise ServiceError("PF716", where, f"its worth is {one.worth:g}", expected=wanted)


def _same(before: Feedback, now: Feedback) -> None:
    """Refuse to write other feedback under an id that is taken."""
    for key in ("request_id", "label", "correct", "worth"):
        if getattr(before, key) != getattr(now, key):
            raise ServiceError(
                "PF717",
                f"feedback_id '{now.feedback_id[:100]}'",
                f"it was told with the {key} {getattr(before, key)!r:.100}, and now with"
                f" {getattr(now, key)!r:.100}",
                mend="Send what changed under an id of its own: the newest label counts.",
            )
