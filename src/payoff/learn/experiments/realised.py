"""Realised: what decisions were worth, once somebody has told how they ended."""

from __future__ import annotations

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from payoff.economics.policy import Policy
from payoff.learn.experiments.decided import Decided
from payoff.learn.experiments.tally import Array
from payoff.learn.tables import decisions, feedback
from payoff.learn.told import SAID, Word, counts, told_worth


def realised_worth(
    connection: Connection, mine: ColumnElement[bool], rows: Decided, policy: Policy
) -> Array:
    """What each decision was worth, cost taken off, ``(n,)``; NaN where nobody has told yet.

    As `payoff.learn.told` settles it, less what asking the models cost.

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
    wanted = (
        select(decisions.c.id, *SAID)
        .join(decisions, decisions.c.request_id == feedback.c.request_id)
        .where(mine, counts())
    )
    told = {row: Word.from_row(*said) for row, *said in connection.execute(wanted)}
    found = np.full(len(rows.row), np.nan)
    if not told:
        return found
    at = np.searchsorted(rows.row, rows.about)
    same = rows.action == rows.action[at]
    known = np.flatnonzero(np.isin(rows.about, list(told)))
    said = [told[int(one)] for one in rows.about[known]]
    words = [one if same[row] else one.label_alone() for row, one in zip(known, said, strict=True)]
    actions = [rows.actions[one] for one in rows.action[known]]
    segments = [rows.segments[one] for one in rows.segment[known]]
    found[known] = told_worth(policy, words, actions, segments)
    net: Array = found - rows.cost
    return net
