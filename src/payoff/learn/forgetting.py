"""Forgetting: one customer's data on request, and everybody's after a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from payoff.learn.entry import customer_hash, now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import asked, decisions, feedback, texts

_DAY_S = 86_400
_BLOCK = 2_000  # decisions that are forgotten in one transaction
_PAUSE_S = 0.05  # between two, in which others get their turn


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten.

    Args:
        n_decisions: Decisions that were changed, or taken away.
        n_texts: Texts that were taken away.
        n_feedback: Feedback that was taken away.
    """

    n_decisions: int
    n_texts: int
    n_feedback: int = 0


def forget_customer(journal: Journal, customer: str) -> Forgotten:
    """Forget who asked and what they wrote; what the decisions earned stays in the sums.

    In SQLite it leaves no trace in the file and in the log beside it, while a service runs too.

    Args:
        journal: Keeps it.
        customer: As requests named it; empty is nobody, and those that name none are left alone.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF703 too where all is forgotten but
            somebody keeps SQLite from clearing its log: done again, it does that.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     forget_customer(journal, "c-17").n_texts
        0
    """
    if not customer:
        return Forgotten(0, 0)
    own = decisions.c.customer == customer_hash(customer, journal.salt)
    nobody = {"customer": "", "text_sha256": "", "probabilities": None}
    with journal.writing() as connection:
        n_texts = _delete(connection, texts, own)
        n = connection.execute(update(decisions).where(own).values(**nobody)).rowcount
    journal.clear_traces()
    return Forgotten(int(n), n_texts)


def forget_old(
    journal: Journal, *, texts_days: float | None = None, decisions_days: float | None = None
) -> Forgotten:
    """Forget what is older than it has to be kept.

    It is done in blocks, so that a service that writes to the journal waits for none of them long;
    one that is killed has forgotten a part of it, and the next one forgets the rest.

    Args:
        journal: Keeps it.
        texts_days: Texts of decisions that are older go; None keeps them.
        decisions_days: Decisions that are older go, with their texts and feedback, and so does
            older feedback of which there is no decision; None keeps them.

    Raises:
        ServiceError: As `forget_customer`.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     forget_old(journal, decisions_days=400).n_decisions
        0
    """
    n = n_texts = n_feedback = 0
    if texts_days is not None:
        for old in _blocks(journal, now_utc(-texts_days * _DAY_S)):
            with journal.writing() as connection:
                n_texts += _delete(connection, texts, old)
    if decisions_days is not None:
        until = now_utc(-decisions_days * _DAY_S)
        for old in _blocks(journal, until):
            with journal.writing() as connection:
                n_texts += _delete(connection, texts, old)
                n_feedback += _delete(connection, feedback, old)
                _delete(connection, asked, old)
                n += int(connection.execute(delete(decisions).where(old)).rowcount)
        decided = exists().where(decisions.c.request_id == feedback.c.request_id)
        with journal.writing() as connection:
            alone = delete(feedback).where(feedback.c.time_utc < until, ~decided)
            n_feedback += int(connection.execute(alone).rowcount)
    journal.clear_traces()
    return Forgotten(n, n_texts, n_feedback)


def _blocks(journal: Journal, until_utc: str) -> Iterator[ColumnElement[bool]]:
    """The old decisions, some at a time, each block as a condition; others may write in between."""
    after = 0
    # By an expression, so that rows are read in their order and not by the index of times.
    old = func.coalesce(decisions.c.time_utc, "") < until_utc
    while True:
        wanted = select(decisions.c.id).where(old, decisions.c.id > after).order_by(decisions.c.id)
        with journal.reading() as connection:
            ids = connection.execute(wanted.limit(_BLOCK)).scalars().all()
        if not ids:
            return
        yield old & (decisions.c.id > after) & (decisions.c.id <= ids[-1])
        after = int(ids[-1])
        if len(ids) == _BLOCK:
            time.sleep(_PAUSE_S)


def _delete(connection: Connection, table: Any, which: ColumnElement[bool]) -> int:
    """Take away the rows of another table that belong to some decisions."""
    ids = select(decisions.c.request_id).where(which)
    return int(connection.execute(delete(table).where(table.c.request_id.in_(ids))).rowcount)
