"""Course events: what happened to experiments, read and written within a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError, did_you_mean
from payoff.economics.policy import Policy
from payoff.learn.entry import now_utc
from payoff.learn.experiments.course import OVER, RAMPED, STARTED, Course, Stage
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.sizing import Size
from payoff.learn.tables import experiment_events as events


def courses_within(connection: Connection) -> list[Course]:
    """All experiments, in the order in which they began.

    Example:
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.reading() as connection:
        ...     courses_within(connection)
        []
    """
    rows: dict[str, list[Any]] = {}
    for event in connection.execute(select(events).order_by(events.c.id)).mappings():
        rows.setdefault(event["experiment"], []).append(event)
    return [_course(of_one) for of_one in rows.values()]


def named(found: list[Course], name: str) -> Course:
    """The one of a name; where that is empty the one that runs, or else the last one.

    Raises:
        ServiceError: PF732 where there is none.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> named([EXAMPLE], "").experiment.name
        'new-head'
    """
    if not name and found:
        return next((one for one in reversed(found) if one.running), found[-1])
    for course in found:
        if course.experiment.name == name:
            return course
    known = [one.experiment.name for one in found]
    raise ServiceError(
        "PF732",
        f"experiment '{name[:100]}'" if name else "experiment",
        "there is none of that name" if name else "there is none in this journal",
        mend=did_you_mean(name, known),
    )


def under_way(connection: Connection, name: str) -> Course:
    """The experiment of a name, or the one that runs where it is empty.

    Raises:
        ServiceError: PF732 where there is none; PF733 where it is over.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     begin_within(connection, EXAMPLE.experiment, EXAMPLE.policy, None)
        ...     under_way(connection, "new-head").share
        0.01
    """
    course = named(courses_within(connection), name)
    if not course.running:
        raise ServiceError(
            "PF733",
            f"experiment '{course.experiment.name}'",
            f"it was {course.over} on {course.over_utc[:10]}",
            mend="Start a new one.",
        )
    return course


def begin_within(
    connection: Connection, experiment: Experiment, policy: Policy, size: Size | None
) -> None:
    """Write that an experiment begins.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     begin_within(connection, EXAMPLE.experiment, EXAMPLE.policy, None)
        ...     len(courses_within(connection))
        1
    """
    facts: dict[str, Any] = {
        "experiment": experiment.as_dict(),
        "policy": policy.to_dict(),
        "share": experiment.first_share,
    }
    if size is not None:
        facts["size"] = size.as_dict()
    write(connection, experiment.name, STARTED, facts)


def write(connection: Connection, name: str, event: str, facts: Mapping[str, Any]) -> None:
    """Write that something happened to an experiment.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     begin_within(connection, EXAMPLE.experiment, EXAMPLE.policy, None)
        ...     write(connection, "new-head", RAMPED, {"share": 0.05})
        ...     courses_within(connection)[0].share
        0.05
    """
    document = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    row = {"experiment": name, "time_utc": now_utc(), "event": event, "facts": document}
    connection.execute(insert(events), [row])


def _course(rows: Iterable[Mapping[str, Any]]) -> Course:
    """What a series of events comes to; the first of them started it."""
    first, *others = rows
    facts = json.loads(first["facts"])
    course = Course(
        experiment=Experiment.from_dict(facts["experiment"]),
        policy=Policy.from_dict(facts["policy"]),
        stages=(Stage(first["time_utc"], facts["share"]),),
        size=facts.get("size", {}),
    )
    for event in others:
        facts, time_utc = json.loads(event["facts"]), event["time_utc"]
        if event["event"] == RAMPED:
            course = replace(course, stages=(*course.stages, Stage(time_utc, facts["share"])))
        elif event["event"] in OVER:
            course = replace(course, over=event["event"], over_utc=time_utc, facts=facts)
    return course
