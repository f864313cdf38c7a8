"""Labelled requests: what a journal's requests truly were, who said so, and what was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from payoff.learn.feedback import Feedback
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback, texts

_BLOCK = 500
_DECIDED = (
    "artifact_sha256",
    "action",
    "label",
    "probability",
    "worth",
    "customer",
    "segment",
    "time_utc",
)


@dataclass(frozen=True, slots=True)
class Vote:
    """One label that somebody gave to a request.

    Args:
        label: What the request truly was.
        source: Who told: a customer, a person, another system.
        person: Who labelled; empty where nobody is named.
        seconds: That it took; None where not known.
        time_utc: When it was told.
        sent_by: Name of the API key that it came by; empty where it came by none, or where the
            key is the person's own.

    Example:
        >>> Vote("refund", "person", "ann").teller, Vote("refund", "system").teller
        ('ann', '(system)')
        >>> Vote("refund", "person", "ann", sent_by="crm").teller
        '(crm)'
    """

    label: str
    source: str
    person: str = ""
    seconds: float | None = None
    time_utc: str = ""
    sent_by: str = ""

    @property
    def teller(self) -> str:
        """Who answers for it: a person, or in brackets the key or the source that told it.

        Whom a program names that sends labels is its word alone: else it could give every label
        another name, and none would ever be found out.
        """
        if self.sent_by:
            return f"({self.sent_by})"
        return self.person or f"({self.source})"


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided on a request, as the journal has it.

    Args:
        artifact_sha256: Of the artifact that decided.
        action: A label, or ``"handoff"``.
        label: The most probable one.
        probability: Of that label.
        worth: Expected worth of the action.
        customer: The customer's hash; empty where nobody was named.
        segment: Of the customer; empty where it decided nothing.
        time_utc: When.
    """

    artifact_sha256: str
    action: str
    label: str
    probability: float
    worth: float
    customer: str = ""
    segment: str = ""
    time_utc: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A request that somebody labelled.

    Args:
        request_id: Names it.
        votes: The newest label of each teller, the newest of all last.
        decided: What was decided; None where the journal has no decision of it.
        text: What was asked; None where the text was not kept, or is forgotten.

    Example:
        >>> votes = (Vote("card", "person", "bob"), Vote("refund", "person", "ann"))
        >>> one = Labelled("r-1", votes, None, "money back")
        >>> one.newest().label, one.newest(without={"ann"}).label
        ('refund', 'card')
    """

    request_id: str
    votes: tuple[Vote, ...]
    decided: Decided | None
    text: str | None

    def newest(self, *, without: Collection[str] = ()) -> Vote | None:
        """The label that counts, leaving out some tellers; None where nobody else told."""
        return next((one for one in reversed(self.votes) if one.teller not in without), None)


def newest_feedback(journal: Journal) -> int:
    """Number of the row of feedback that was written last; 0 where there is none.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     newest_feedback(journal)
        0
    """
    with journal.reading() as connection:
        return int(connection.execute(select(func.max(feedback.c.id))).scalar_one() or 0)


def labelled_requests(
    journal: Journal, *, until: int | None = None, without: Collection[str] = ()
) -> Iterator[list[Labelled]]:
    """All labelled requests in blocks, by request id, so that any number fits in memory.

    Labels count by the time at which they were given, not by that at which they arrived. Where one
    teller labelled a request twice, the newer label replaces the older.

    Args:
        journal: Where they are.
        until: Only feedback up to this row, as `newest_feedback` numbers it; all where None.
        without: SHA-256 of artifacts: requests that they decided are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.feedback import take
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = take(journal, [Feedback("r-1", label="card")])
        ...     [one.votes[0].label for block in labelled_requests(journal) for one in block]
        ['card']
    """
    after = ""
    told = feedback.c.label != ""
    if until is not None:
        told &= feedback.c.id <= until
    while True:
        wanted = (
            select(feedback.c.request_id)
            .where(told, feedback.c.request_id > after)
            .distinct()
            .order_by(feedback.c.request_id)
            .limit(_BLOCK)
        )
        with journal.reading() as connection:
            ids = [str(one) for one in connection.execute(wanted).scalars()]
            block = _block(connection, ids, told) if ids else []
        if not ids:
            return
        yield [
            one
            for one in block
            if one.decided is None or one.decided.artifact_sha256 not in without
        ]
        after = ids[-1]


def _block(connection: Connection, ids: Sequence[str], told: Any) -> list[Labelled]:
    """The requests of some ids with all that is known of them."""
    rows = connection.execute(
        select(feedback)
        .where(told, feedback.c.request_id.in_(ids))
        .order_by(feedback.c.time_utc, feedback.c.id)
    ).mappings()
    by_id: dict[str, list[Feedback]] = {}
    for row in rows:
        by_id.setdefault(row["request_id"], []).append(Feedback.from_row(row))
    columns = (decisions.c.request_id, *(decisions.c[name] for name in _DECIDED))
    found = connection.execute(select(*columns).where(decisions.c.request_id.in_(ids))).mappings()
    made = {row["request_id"]: Decided(**{name: row[name] for name in _DECIDED}) for row in found}
    kept = connection.execute(select(texts).where(texts.c.request_id.in_(ids))).mappings()
    written = {row["request_id"]: str(row["text"]) for row in kept}
    return [Labelled(key, _votes(by_id[key]), made.get(key), written.get(key)) for key in ids]


def _votes(told: Sequence[Feedback]) -> tuple[Vote, ...]:
    """The newest label of each teller, from feedback in the order that `payoff.learn.told` has."""
    newest: dict[str, Vote] = {}
    for one in told:
        vote = Vote(one.label, one.source, one.person, one.seconds, one.time_utc, one.sent_by)
        newest.pop(vote.teller, None)
        newest[vote.teller] = vote
    return tuple(newest.values())
