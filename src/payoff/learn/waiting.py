"""Waiting: requests whose text is kept and that wait for a label, the unsure ones first."""

from __future__ import annotations

from sqlalchemy import and_, exists, or_, select

from payoff.learn.acted import ACTED
from payoff.learn.journal import Journal
from payoff.learn.labelled import Decided, Labelled
from payoff.learn.neighbours import NOBODY, Neighbours
from payoff.learn.tables import asked, decisions, feedback, texts

_DECIDED = tuple(Decided.__dataclass_fields__)


def waiting_requests(
    journal: Journal, *, most: int = 1000, beside: Neighbours = NOBODY
) -> list[Labelled]:
    """Requests that wait for a label, most needed first.

    What was drawn by chance (`payoff.learn.asked`), what was handed over, then the least sure. What
    was drawn waits until a person labels it, whatever programs say, as in the review queue.

    Args:
        journal: Where they are.
        most: How many at most.
        beside: Other models that write to the journal, whose requests are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     waiting_requests(journal)
        []
    """
    drawn = exists().where(asked.c.request_id == decisions.c.request_id)
    told = (feedback.c.request_id == decisions.c.request_id) & (feedback.c.label != "")
    by_person = exists().where(told, feedback.c.source == "person")
    is_told = or_(and_(drawn, by_person), and_(~drawn, exists().where(told)))
    wanted = (
        select(decisions.c.request_id, texts.c.text, *(decisions.c[name] for name in _DECIDED))
        .join(texts, texts.c.request_id == decisions.c.request_id)
        .where(ACTED, beside.decided(), ~is_told)
        .order_by(~drawn, decisions.c.action != "handoff", decisions.c.probability, decisions.c.id)
        .limit(most)
    )
    with journal.reading() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [
        Labelled(
            row["request_id"], (), Decided(**{name: row[name] for name in _DECIDED}), row["text"]
        )
        for row in rows
    ]
