"""Newest: how far a journal has come, so that what was worked out from it can be kept."""

from __future__ import annotations

from sqlalchemy import func, select

from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events, costs, decisions, experiment_events, feedback


def newest_rows(journal: Journal) -> tuple[int, ...]:
    """Numbers of the newest decision, feedback, cost line, experiment's and alert's event.

    Where they are as they were, nothing was added.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     newest_rows(journal)
        (0, 0, 0, 0, 0)
    """
    tables = (decisions, feedback, costs, experiment_events, alert_events)
    newest = (select(func.max(one.c.id)).scalar_subquery() for one in tables)
    with journal.reading() as connection:
        row = connection.execute(select(*newest)).one()
    return tuple(int(one or 0) for one in row)
