"""Outcomes: what feedback tells of decisions, added up, and what that was really worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, FromClause, case, exists, func, or_, select

from payoff.economics.actions import HANDOFF
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback
from payoff.learn.told_amounts import told_amounts

if TYPE_CHECKING:
    from payoff.economics.policy import Policy

ANOTHER = "\x1f"
"""Stands for a label that is another than the action's, where it is not told which."""

_MOST_ROWS = 200_000
_MOST_GROUPS = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Decisions of one day of which the same was told.

    Args:
        day: Of the decisions, in UTC.
        artifact_sha256: Which version decided.
        action: What was done.
        segment: Of the customers, where its own worth decided.
        truth: What they truly were; `ANOTHER` where only that the action was wrong is known, empty
            where only the money is.
        n: How many.
        worth: What they earned together, where somebody told the money; None where it follows
            from the policy.
    """

    day: str
    artifact_sha256: str
    action: str
    segment: str
    truth: str
    n: int
    worth: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Requests that were taken for something else.

    Args:
        truth: What they were.
        action: What they were taken for.
        n: How many.
        lost: What the best action would have earned more, together.
    """

    truth: str
    action: str
    n: int
    lost: float


def outcomes(journal: Journal, since: str) -> list[Outcome]:
    """What feedback tells of the decisions since a day.

    The word of the latest time counts that says what a request was, whether the action was right,
    or what it earned, whenever it arrived, as in experiments
    (`payoff.learn.experiments.realised`). The newest 200,000 pieces of feedback are looked at.

    Args:
        journal: Of decisions and feedback.
        since: A day such as ``"2026-11-01"``.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     outcomes(journal, "2026-11-01")
        []
    """
    told, later = feedback.alias(), feedback.alias()
    of_one_time = (later.c.time_utc == told.c.time_utc) & (later.c.feedback_id > told.c.feedback_id)
    newer = (later.c.request_id == told.c.request_id) & (
        (later.c.time_utc > told.c.time_utc) | of_one_time
    )
    acted = decisions.c.action != HANDOFF
    truth = case(
        (told.c.label != "", told.c.label),
        ((told.c.correct == 1) & acted, decisions.c.action),
        (told.c.correct.is_not(None), ANOTHER),
    )
    priced = case((told.c.worth.is_not(None), 1), else_=0)
    day = func.substr(decisions.c.time_utc, 1, 10)
    key = (
        day,
        decisions.c.artifact_sha256,
        decisions.c.action,
        decisions.c.segment,
        func.coalesce(truth, ""),
        priced,
    )
    first = select(func.coalesce(func.max(feedback.c.id), 0) - _MOST_ROWS).scalar_subquery()
    wanted = (
        select(
            *(one.label(f"k{n}") for n, one in enumerate(key)), func.count(), func.sum(told.c.worth)
        )
        .join_from(told, decisions, decisions.c.request_id == told.c.request_id)
        .where(told.c.id > first, decisions.c.time_utc >= since)
        .where(_says(told), ~exists().where(newer, _says(later)))
        .group_by(*key)
        .limit(_MOST_GROUPS)
    )
    with journal.reading() as connection:
        rows = connection.execute(wanted).all()
    return [
        Outcome(*row[:5], n=int(row[6]), worth=float(row[7]) if row[5] else None) for row in rows
    ]


def realised(found: Iterable[Outcome], policy: Policy) -> dict[str, tuple[int, float]]:
    """How many decisions of each day have a known worth, and the sum of it.

    Args:
        found: What was told.
        policy: Its values price what was told without money (`told_amounts`); what was done in the
            name of a label that it does not know is left out.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> told = [Outcome("2026-11-30", "", "a", "", "b", 2, None)]
        >>> told += [Outcome("2026-11-30", "", "a", "", "", 1, 4.5)]
        >>> realised(told, policy)
        {'2026-11-30': (3, -9.5)}
    """
    sums: dict[str, tuple[int, float]] = {}
    for one in found:
        each = _each(one, policy)
        worth = one.worth if one.worth is not None else None if each is None else one.n * each
        if worth is not None:
            n, total = sums.get(one.day, (0, 0.0))
            sums[one.day] = (n + one.n, total + worth)
    return sums


def confusions(found: Iterable[Outcome], policy: Policy) -> list[Confusion]:
    """Which requests were taken for what, the dearest first.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> confusions([Outcome("2026-11-30", "", "a", "", "b", 2, None)], policy)
        [Confusion(truth='b', action='a', n=2, lost=20.0)]
    """
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for one in found:
        each = _each(one, policy)
        if each is None or one.action in (HANDOFF, one.truth) or one.truth not in policy.labels:
            continue
        best = float(_table(one, policy)[policy.labels.index(one.truth)].max())
        n, lost = sums.get((one.truth, one.action), (0, 0.0))
        sums[one.truth, one.action] = (n + one.n, lost + one.n * (best - each))
    made = [Confusion(*pair, *both) for pair, both in sums.items()]
    return sorted(made, key=lambda one: (-one.lost, one.truth, one.action))


def told_by_source(journal: Journal, since: str) -> list[tuple[str, int]]:
    """How much feedback each source gave since a day.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     told_by_source(journal, "2026-11-01")
        []
    """
    source = feedback.c.source
    wanted = select(source, func.count()).where(feedback.c.time_utc >= since).group_by(source)
    with journal.reading() as connection:
        return [(row[0], int(row[1])) for row in connection.execute(wanted.order_by(source))]


def _says(told: FromClause) -> ColumnElement[bool]:
    return or_(told.c.label != "", told.c.worth.is_not(None), told.c.correct.is_not(None))


def _table(one: Outcome, policy: Policy) -> NDArray[np.float64]:
    return policy.segment_values.get(one.segment, policy.values)


def _each(one: Outcome, policy: Policy) -> float | None:
    """Worth of one of them by the policy; None where it does not say."""
    actions = (*policy.labels, HANDOFF)
    if not one.truth or one.action not in actions:
        return None
    tables = ("", *policy.segment_values)
    segment = tables.index(one.segment) if one.segment in tables else 0
    known = one.truth in policy.labels
    truth = policy.labels.index(one.truth) if known else len(policy.labels)
    return float(told_amounts(policy)[segment, truth, actions.index(one.action)])
