"""Outcomes: what feedback tells of decisions, added up, and what that was really worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import case, exists, func, select

from payoff.economics.actions import HANDOFF
from payoff.learn.journal import Journal
from payoff.learn.neighbours import NOBODY, Neighbours
from payoff.learn.tables import decisions, feedback
from payoff.learn.told import Word, counts, told_worth

if TYPE_CHECKING:
    from payoff.economics.policy import Policy

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
        word: What counts of what was said of each, with the mean of the money where that is said.
        n: How many.
    """

    day: str
    artifact_sha256: str
    action: str
    segment: str
    word: Word
    n: int


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
    """What feedback tells of the decisions since a day, as `payoff.learn.told` settles it.

    The newest 200,000 pieces of feedback are looked at.

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
    priced = case((feedback.c.worth.is_not(None), 1), else_=0)
    day = func.substr(decisions.c.time_utc, 1, 10)
    told = (feedback.c.label, feedback.c.correct, priced)
    key = (day, *(decisions.c[name] for name in ("artifact_sha256", "action", "segment")), *told)
    first = select(func.coalesce(func.max(feedback.c.id), 0) - _MOST_ROWS).scalar_subquery()
    named = [one.label(f"k{n}") for n, one in enumerate(key)]
    wanted = (
        select(*named, func.count(), func.avg(feedback.c.worth))
        .join_from(feedback, decisions, decisions.c.request_id == feedback.c.request_id)
        .where(feedback.c.id > first, decisions.c.time_utc >= since, counts())
        .group_by(*named)
        .limit(_MOST_GROUPS)
    )
    with journal.reading() as connection:
        rows = connection.execute(wanted).all()
    return [Outcome(*row[:4], Word.from_row(row[4], row[5], row[8]), int(row[7])) for row in rows]


def realised(found: Iterable[Outcome], policy: Policy) -> dict[str, tuple[int, float]]:
    """How many decisions of each day have a known worth, and the sum of it.

    Args:
        found: What was told.
        policy: Its values price what was told without money (`payoff.learn.told.told_worth`); what
            was done in the name of a label that it does not know is left out.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> told = [Outcome("2026-11-30", "", "a", "", Word("b"), 2)]
        >>> told += [Outcome("2026-11-30", "", "a", "", Word(worth=4.5), 1)]
        >>> realised(told, policy)
        {'2026-11-30': (3, -9.5)}
    """
    sums: dict[str, tuple[int, float]] = {}
    found = list(found)
    for one, each in zip(found, _worths(found, policy), strict=True):
        if not np.isnan(each):
            n, total = sums.get(one.day, (0, 0.0))
            sums[one.day] = (n + one.n, total + one.n * float(each))
    return sums


def confusions(found: Iterable[Outcome], policy: Policy) -> list[Confusion]:
    """Which requests were taken for what, the dearest first, by the payoff.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> confusions([Outcome("2026-11-30", "", "a", "", Word("b"), 2)], policy)
        [Confusion(truth='b', action='a', n=2, lost=20.0)]
    """
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    named = [replace(one, word=one.word.label_alone()) for one in found]
    for one, each in zip(named, _worths(named, policy), strict=True):
        truth = one.word.label
        if np.isnan(each) or one.action in (HANDOFF, truth) or truth not in policy.labels:
            continue
        table = policy.segment_values.get(one.segment, policy.values)
        best = float(table[policy.labels.index(truth)].max())
        n, lost = sums.get((truth, one.action), (0, 0.0))
        sums[truth, one.action] = (n + one.n, lost + one.n * (best - float(each)))
    made = [Confusion(*pair, *both) for pair, both in sums.items()]
    return sorted(made, key=lambda one: (-one.lost, one.truth, one.action))


def told_by_source(
    journal: Journal, since: str, *, beside: Neighbours = NOBODY
) -> list[tuple[str, int]]:
    """How much feedback each source gave since a day.

    Args:
        journal: Of decisions and feedback.
        since: A day such as ``"2026-11-01"``.
        beside: Other models that write to it; what was told of their decisions is left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     told_by_source(journal, "2026-11-01")
        []
    """
    source = feedback.c.source
    wanted = select(source, func.count()).where(feedback.c.time_utc >= since).group_by(source)
    if beside.artifacts:
        of_others = (decisions.c.request_id == feedback.c.request_id) & ~beside.decided()
        wanted = wanted.where(~exists().where(of_others))
    with journal.reading() as connection:
        return [(row[0], int(row[1])) for row in connection.execute(wanted.order_by(source))]


def _worths(found: Sequence[Outcome], policy: Policy) -> NDArray[np.float64]:
    words, actions, segments = (
        [getattr(one, name) for one in found] for name in ("word", "action", "segment")
    )
    return told_worth(policy, words, actions, segments)
