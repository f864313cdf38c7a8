"""Realised: what decisions were worth, once somebody has told how they ended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select

from payoff.economics.actions import HANDOFF
from payoff.economics.policy import Policy
from payoff.learn.experiments.decided import Decided
from payoff.learn.experiments.tally import Array
from payoff.learn.tables import decisions, feedback
from payoff.learn.told_amounts import told_amounts

_NOT_TOLD = -1


def realised_worth(
    connection: Connection, mine: ColumnElement[bool], rows: Decided, policy: Policy
) -> Array:
    """What each decision was worth, cost taken off, ``(n,)``; NaN where nobody has told yet.

    The payoff's amount for the true label and what was done, or what feedback says in money; less
    what asking the models cost. Of several feedbacks to a request the one of the latest time
    counts, whenever it arrived, and of those of one time the last by its id, so that the order in
    which they came changes nothing; the same one twice counts once. Where feedback only says that
    the action was wrong, or names a label that the payoff lacks, the mean over all other labels
    counts.

    In the shadow feedback is about what the control did. Of the treatment it tells the true label;
    money, right and wrong only where it would have done the same.

    Args:
        connection: To the journal.
        mine: Which decisions ``rows`` are.
        rows: The decisions.
        policy: What every action is worth.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.experiments.decided import decided
        >>> from payoff.learn.journal import Journal
        >>> mine = decisions.c.experiment == "new-head"
        >>> with Journal.open("sqlite://") as journal, journal.reading() as connection:
        ...     rows = decided(connection, mine)
        ...     len(realised_worth(connection, mine, rows, EXAMPLE.policy))
        0
    """
    n = len(rows.row)
    place = {label: number for number, label in enumerate((*policy.labels, HANDOFF))}
    actions = np.array([place.get(name, _NOT_TOLD) for name in rows.actions], dtype=np.int64)
    action = actions[rows.action] if n else np.empty(0, dtype=np.int64)
    truth, money = _told(connection, mine, rows, place, action)
    amounts = told_amounts(policy)
    own = list(policy.segment_values)
    tables = np.array([own.index(s) + 1 if s in own else 0 for s in rows.segments], dtype=np.int64)
    table = tables[rows.segment] if n else np.empty(0, dtype=np.int64)
    found = np.where((truth >= 0) & (action >= 0), amounts[table, truth, action], np.nan)
    found = np.where(np.isfinite(money), money, found)
    net: Array = found - rows.cost
    return net


def _told(
    connection: Connection,
    mine: ColumnElement[bool],
    rows: Decided,
    place: dict[str, int],
    action: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Array]:
    """True label of each decision (-1 where nobody told, k for "another one"), and its money."""
    wanted = (
        select(decisions.c.id, feedback.c.label, feedback.c.correct, feedback.c.worth)
        .join(decisions, decisions.c.request_id == feedback.c.request_id)
        .where(mine)
        .where(
            (feedback.c.label != "")
            | feedback.c.correct.is_not(None)
            | feedback.c.worth.is_not(None)
        )
        .order_by(feedback.c.time_utc, feedback.c.feedback_id)
    )
    latest = {row: said for row, *said in connection.execute(wanted)}
    n, other = len(rows.row), len(place) - 1
    truth = np.full(n, _NOT_TOLD, dtype=np.int64)
    money = np.full(n, np.nan)
    if not latest:
        return truth, money
    at = np.searchsorted(rows.row, rows.about)
    same = action == action[at]
    for number in np.flatnonzero(np.isin(rows.about, list(latest))):
        label, correct, worth = latest[int(rows.about[number])]
        if label:
            known = place.get(label, other)
            truth[number] = known
        elif correct is not None and same[number]:
            acted = 0 <= action[number] < other
            truth[number] = action[number] if correct and acted else other
        if worth is not None and same[number]:
            money[number] = worth
    return truth, money
