"""Outcomes: an experiment's requests as the journal has them, each with what it was worth."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, func, select

from payoff.economics.actions import HANDOFF
from payoff.economics.policy import Policy
from payoff.learn.experiments.course import Course, day_of
from payoff.learn.experiments.decided import Decided, decided
from payoff.learn.experiments.realised import realised_worth
from payoff.learn.experiments.requests import Requests
from payoff.learn.experiments.tally import Array
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions

SETTLING_S = 60.0
"""After a ramp this long is left out: processes of a service hear of the share one by one."""

EARLIER_DAYS = 90
"""How far back a customer's earlier profit is looked for."""

_DAY_S = 86_400.0


def requests_of(journal: Journal, course: Course) -> Requests:
    """The requests of an experiment so far, in the order of time.

    Outcomes are those of `payoff.learn.experiments.realised`. Left out are requests of the first
    minute after a ramp, and those after the experiment's end.

    Args:
        journal: Where decisions and feedback are.
        course: The experiment.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     len(requests_of(journal, EXAMPLE))
        0
    """
    mine = decisions.c.experiment == course.experiment.name
    with journal.reading() as connection:
        in_shadow = any(stage.share == 0.0 for stage in course.stages)
        rows = decided(connection, mine, shadows=in_shadow)
        realised = realised_worth(connection, mine, rows, course.policy)
        before = _earlier(connection, course.since_utc)
    begin = day_of(course.since_utc)
    since = np.array([day_of(stage.since_utc) for stage in course.stages])
    stage = np.clip(np.searchsorted(since, rows.day, side="right") - 1, 0, None)
    kept = (stage == 0) | (rows.day - since[stage] >= SETTLING_S / _DAY_S)
    kept &= rows.day >= begin
    if course.over_utc:
        kept &= rows.day <= day_of(course.over_utc)
    earlier = np.array([before.get(name, np.nan) for name in rows.customers], dtype=np.float64)
    found = _requests(rows, realised, begin=begin)
    whole = Requests(
        customer=found.customer,
        treated=found.treated,
        stage=stage.astype(np.int64),
        day=found.day,
        expected=found.expected,
        realised=realised,
        handed_over=found.handed_over,
        latency_ms=found.latency_ms,
        earlier=earlier[rows.customer] if len(earlier) else np.empty(0),
    )
    return _in_order(whole.only(kept))


def requests_before(journal: Journal, artifact_sha256: str, policy: Policy) -> Requests:
    """What an artifact has decided so far without an experiment, for sizing one.

    Args:
        journal: Where decisions and feedback are.
        artifact_sha256: Of the artifact.
        policy: What every action is worth.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     len(requests_before(journal, "a" * 64, EXAMPLE.policy))
        0
    """
    mine = (decisions.c.artifact_sha256 == artifact_sha256) & (decisions.c.experiment == "")
    with journal.reading() as connection:
        rows = decided(connection, mine)
        realised = realised_worth(connection, mine, rows, policy)
    return _in_order(_requests(rows, realised, begin=float(rows.day.min(initial=np.inf))))


def _requests(rows: Decided, realised: Array, *, begin: float) -> Requests:
    """Decisions as requests of one stage."""
    handed = np.array([name == HANDOFF for name in rows.actions], dtype=np.bool_)
    n = len(rows.row)
    return Requests(
        customer=rows.customer,
        treated=rows.treated,
        stage=np.zeros(n, dtype=np.int64),
        day=rows.day - begin,
        expected=rows.worth - rows.cost,
        realised=realised,
        handed_over=handed[rows.action] if n else np.empty(0, dtype=np.bool_),
        latency_ms=rows.latency_ms,
        earlier=np.full(n, np.nan),
    )


def _in_order(requests: Requests) -> Requests:
    """By time; customers numbered anew without gaps."""
    order = np.argsort(requests.day, kind="stable")
    _, number = np.unique(requests.customer[order], return_inverse=True)
    return requests.ordered(order, number.astype(np.int64))


def _earlier(connection: Connection, since_utc: str) -> dict[str, float]:
    """What each customer's requests were expected to bring before the experiment, on average.

    Expected and not realised: few outcomes are ever told, and a covariate need not be right, only
    older than the experiment.
    """
    begin = datetime.fromisoformat(since_utc) - timedelta(days=EARLIER_DAYS)
    # By an expression, so that the customers' index is not used: it would read every decision.
    customer = func.coalesce(decisions.c.customer, "")
    wanted = (
        select(customer, func.avg(decisions.c.worth - decisions.c.cost))
        .where(decisions.c.time_utc >= begin.strftime("%Y-%m-%dT%H:%M:%S"))
        .where(decisions.c.time_utc < since_utc)
        .where(customer != "")
        .group_by(customer)
    )
    return {name: float(mean) for name, mean in connection.execute(wanted)}
