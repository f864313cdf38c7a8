"""The book of experiments: what the journal says was started, ramped, promoted and stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError, did_you_mean
from payoff.economics.policy import Policy
from payoff.learn.entry import now_utc
from payoff.learn.experiments.course import (
    OVER,
    PROMOTED,
    RAMPED,
    STARTED,
    STOPPED,
    Course,
    Stage,
)
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.look import Look, look_at
from payoff.learn.experiments.outcomes import requests_of
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.journal import Journal
from payoff.learn.tables import experiment_events as events
from payoff.learn.versions import put_in_place, released_within


def start(journal: Journal, experiment: Experiment, policy: Policy) -> Course:
    """Begin an experiment: from now on requests are shared out.

    Args:
        journal: Of the service that decides.
        experiment: What is compared, and the rules.
        policy: What every action is worth, for both arms.

    Raises:
        ServiceError: PF731 where an experiment on that model is running, PF735 where the name was
            used before; PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     start(journal, EXAMPLE.experiment, EXAMPLE.policy).share
        ...     running_on(journal, "support").experiment.name
        0.01
        'new-head'
    """
    facts = {
        "experiment": experiment.as_dict(),
        "policy": policy.to_dict(),
        "share": experiment.first_share,
    }
    with journal.writing() as connection:
        for course in _courses(connection):
            if course.experiment.name == experiment.name:
                raise ServiceError(
                    "PF735",
                    f"experiment '{experiment.name}'",
                    f"the name was used on {course.since_utc[:10]}",
                    mend="Give it another name.",
                )
            if course.running and course.experiment.model == experiment.model:
                raise ServiceError(
                    "PF731",
                    f"model '{experiment.model}'",
                    f"the experiment '{course.experiment.name}' is running",
                    mend="Wait for its end, or run: payoff compare stop",
                )
        _write(connection, experiment.name, STARTED, facts)
    return course_of(journal, experiment.name)


def courses(journal: Journal) -> list[Course]:
    """All experiments, in the order in which they began.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     courses(journal)
        []
    """
    with journal.reading() as connection:
        return _courses(connection)


def course_of(journal: Journal, name: str = "") -> Course:
    """An experiment as it stands.

    Args:
        journal: Where it was started.
        name: Of the experiment; empty for the one that runs, or else the last one.

    Raises:
        ServiceError: PF732 where there is none; PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     course_of(journal, "new-head")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF732 experiment 'new-head': there is none of that name.
    """
    return _named(courses(journal), name)


def running_on(journal: Journal, model: str) -> Course | None:
    """The experiment that runs on a model; None where there is none.

    A service asks this again within `payoff.learn.experiments.outcomes.SETTLING_S` seconds, so
    that all of its processes share customers out alike.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     running_on(journal, "support")
    """
    found = [c for c in courses(journal) if c.running and c.experiment.model == model]
    return found[-1] if found else None


def ramp(journal: Journal, name: str, share: float) -> Course:
    """Give the treatment another share of the customers.

    Args:
        journal: Where the experiment was started.
        name: Of the experiment.
        share: Above 0 and below 1; larger than now, unless it is a bandit's.

    Raises:
        ServiceError: PF734 where the share is smaller than now or none; PF732 where there is no
            such experiment, PF733 where it is over; PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     ramp(journal, "new-head", 0.25).share
        0.25
    """
    with journal.writing() as connection:
        course = _under_way(connection, name)
        back = share <= course.share and course.experiment.mode is not Mode.BANDIT
        if back or not 0 < share < 1:
            raise ServiceError(
                "PF734",
                f"experiment '{course.experiment.name}'",
                f"its share is {course.share:g} and {share:g} was asked for",
                expected=f"a share above {course.share:g}, below 1",
                mend="To take the treatment back, stop the experiment.",
            )
        _write(connection, course.experiment.name, RAMPED, {"share": share})
    return course_of(journal, course.experiment.name)


def stop(journal: Journal, name: str = "", *, why: str = "", look: Look | None = None) -> Course:
    """End an experiment: the control decides on all requests again.

    Args:
        journal: Where it was started.
        name: Of the experiment; empty for the one that runs.
        why: In a sentence.
        look: What was seen at the end, kept with it.

    Raises:
        ServiceError: PF732 where there is no such experiment, PF733 where it is over; PF703 to
            PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     stop(journal).share
        0.0
    """
    return _end(journal, name, STOPPED, why, look)


def promote(journal: Journal, name: str = "", *, why: str = "", look: Look | None = None) -> Course:
    """End an experiment and release its treatment, both or neither.

    Who serves is told by the releases alone (`payoff.learn.versions`): a promotion is one of them,
    and rolling it back brings the control again.

    Raises:
        ServiceError: As `stop`.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.versions import released, roll_back
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     promote(journal).share
        ...     released(journal, "support").artifact_sha256[:3]
        ...     roll_back(journal, "support").artifact_sha256[:3]
        1.0
        'bbb'
        'aaa'
    """
    return _end(journal, name, PROMOTED, why, look)


def look_now(journal: Journal, course: Course, *, requests_per_month: float | None = None) -> Look:
    """Look at an experiment in the journal.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     course = start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     look_now(journal, course).recommendation.advice.value
        'wait'
    """
    requests = requests_of(journal, course)
    return look_at(course, requests, now_utc(), requests_per_month=requests_per_month)


def act_on(journal: Journal, course: Course, look: Look, *, promoting: bool = False) -> Course:
    """Do what a look says: ramp, or stop; promote only where that is allowed.

    A service that calls this after each look, once an hour or a day, has an experiment that ramps
    and stops by itself. Two that call it at once do no harm: the second finds it done.

    Args:
        journal: Where the experiment was started.
        course: The experiment when it was looked at.
        look: What was seen.
        promoting: Promote by itself too.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     course = start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     act_on(journal, course, look_now(journal, course)).share
        0.01
    """
    name, advised = course.experiment.name, look.recommendation
    try:
        if advised.share is not None:
            now = course_of(journal, name)
            return now if now.stages != course.stages else ramp(journal, name, advised.share)
        if advised.advice in (Advice.HARMFUL, Advice.NO_GAIN):
            return stop(journal, name, why=advised.sentence, look=look)
        if advised.advice is Advice.PROMOTE and promoting:
            return promote(journal, name, why=advised.sentence, look=look)
    except ServiceError as error:
        if error.code not in ("PF733", "PF734"):
            raise
    return course_of(journal, name)


def _end(journal: Journal, name: str, event: str, why: str, look: Look | None) -> Course:
    facts = {"why": why, "look": None if look is None else look.as_dict()}
    with journal.writing() as connection:
        course = _under_way(connection, name)
        _write(connection, course.experiment.name, event, facts)
        if event == PROMOTED:
            _release(connection, course.experiment, why, look)
    return course_of(journal, course.experiment.name)


def _release(connection: Connection, experiment: Experiment, why: str, look: Look | None) -> None:
    """Put the treatment in place; the control first, where nothing tells that it served."""
    model = experiment.model
    if released_within(connection, model) is None:
        told = f"it decided before the experiment {experiment.name}"
        put_in_place(connection, model, experiment.control, {"why": told})
    facts: dict[str, Any] = {"experiment": experiment.name, "why": why or "promoted"}
    if look is not None:
        gain = look.gain_per_month
        ends = {"mean": gain.estimate, "low": gain.low, "high": gain.high}
        if all(map(math.isfinite, ends.values())):
            facts["gain_month"] = ends | {"currency": look.currency}
    put_in_place(connection, model, experiment.treatment, facts)


def _under_way(connection: Connection, name: str) -> Course:
    course = _named(_courses(connection), name)
    if not course.running:
        raise ServiceError(
            "PF733",
            f"experiment '{course.experiment.name}'",
            f"it was {course.over} on {course.over_utc[:10]}",
            mend="Start a new one.",
        )
    return course


def _named(found: list[Course], name: str) -> Course:
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


def _courses(connection: Connection) -> list[Course]:
    rows: dict[str, list[Any]] = {}
    for event in connection.execute(select(events).order_by(events.c.id)).mappings():
        rows.setdefault(event["experiment"], []).append(event)
    return [_course(of_one) for of_one in rows.values()]


def _course(rows: Iterable[Mapping[str, Any]]) -> Course:
    """What a series of events comes to; the first of them started it."""
    first, *others = rows
    facts = json.loads(first["facts"])
    course = Course(
        experiment=Experiment.from_dict(facts["experiment"]),
        policy=Policy.from_dict(facts["policy"]),
        stages=(Stage(first["time_utc"], facts["share"]),),
    )
    for event in others:
        facts, time_utc = json.loads(event["facts"]), event["time_utc"]
        if event["event"] == RAMPED:
            course = replace(course, stages=(*course.stages, Stage(time_utc, facts["share"])))
        elif event["event"] in OVER:
            course = replace(course, over=event["event"], over_utc=time_utc, facts=facts)
    return course


def _write(connection: Connection, name: str, event: str, facts: Mapping[str, Any]) -> None:
    document = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    row = {"experiment": name, "time_utc": now_utc(), "event": event, "facts": document}
    connection.execute(insert(events), [row])
