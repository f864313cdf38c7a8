"""The book of experiments: what the journal says was started, ramped, promoted and stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from payoff.core.errors import ServiceError
from payoff.economics.policy import Policy
from payoff.learn.entry import now_utc
from payoff.learn.experiments.contest import LEAST_REQUESTS
from payoff.learn.experiments.course import KEPT, PROMOTED, RAMPED, STOPPED, Course
from payoff.learn.experiments.course_events import (
    begin_within,
    courses_within,
    named,
    under_way,
    write,
)
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.holding_back import held_back
from payoff.learn.experiments.look import Look, look_at
from payoff.learn.experiments.outcomes import requests_before, requests_of
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.experiments.sizing import Size
from payoff.learn.experiments.undoing import OVERTAKEN, is_overtaken, settle
from payoff.learn.journal import Journal
from payoff.learn.versions import VersionEvent, put_in_place, standing_within


def start(
    journal: Journal, experiment: Experiment, policy: Policy, size: Size | None = None
) -> Course:
    """Begin an experiment: from now on requests are shared out.

    Args:
        journal: Of the service that decides.
        experiment: What is compared, and the rules.
        policy: What every action is worth, for both arms.
        size: What it was reckoned to take, noted with it; None where nobody reckoned.

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
    with journal.writing() as connection:
        for course in courses_within(connection):
            if course.experiment.name == experiment.name:
                raise ServiceError(
                    "PF735",
                    f"experiment '{experiment.name}'",
                    f"the name was used on {course.since_utc[:10]}",
                    mend="Give it another name.",
                )
            if course.running and course.experiment.model == experiment.model:
                standing = standing_within(connection, experiment.model)
                if is_overtaken(course.experiment, standing):
                    write(connection, course.experiment.name, STOPPED, OVERTAKEN)
                    continue
                raise ServiceError(
                    "PF731",
                    f"model '{experiment.model}'",
                    f"the experiment '{course.experiment.name}' is running",
                    mend="Wait for its end, or run: payoff compare stop",
                )
        begin_within(connection, experiment, policy, size)
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
        return courses_within(connection)


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
    return named(courses(journal), name)


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
        course = under_way(connection, name)
        back = share <= course.share and course.experiment.mode is not Mode.BANDIT
        back |= share == course.share  # two that looked at once: the second finds it done
        if back or not 0 < share < 1:
            raise ServiceError(
                "PF734",
                f"experiment '{course.experiment.name}'",
                f"its share is {course.share:g} and {share:g} was asked for",
                expected=f"a share above {course.share:g}, below 1",
                mend="To take the treatment back, stop the experiment.",
            )
        write(connection, course.experiment.name, RAMPED, {"share": share})
    return course_of(journal, course.experiment.name)


def stop(journal: Journal, name: str = "", *, why: str = "", look: Look | None = None) -> Course:
    """End an experiment: the control decides on all requests again.

    A hold-back that is ended leaves its treatment in place, and nobody is held back any more; to
    withdraw it, roll it back (`payoff.learn.versions.roll_back`).

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
    and rolling it back brings the control again. Where the experiment says so, its hold-back
    begins with it.

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
    """Do what a look says: ramp, stop, roll back; promote only where that is allowed.

    Nothing is promoted over what people have released, or rolled back to, meanwhile: the treatment
    was not compared with that, and the experiment is stopped.

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
        if course.experiment.is_hold_back:
            settle(journal, course, look)
            return course_of(journal, name)
        if advised.advice in (Advice.HARMFUL, Advice.NO_GAIN):
            return stop(journal, name, why=advised.sentence, look=look)
        if advised.advice is Advice.PROMOTE and promoting:
            return _end(journal, name, PROMOTED, advised.sentence, look, by_itself=True)
    except ServiceError as error:
        if error.code not in ("PF733", "PF734"):
            raise
    return course_of(journal, name)


def _end(
    journal: Journal,
    name: str,
    event: str,
    why: str,
    look: Look | None,
    *,
    by_itself: bool = False,
) -> Course:
    facts = {"why": why, "look": None if look is None else look.as_dict()}
    after = _what_follows(journal, name) if event == PROMOTED else None
    with journal.writing() as connection:
        course = under_way(connection, name)
        experiment = course.experiment
        if by_itself and _is_replaced(experiment, standing_within(connection, experiment.model)):
            write(connection, experiment.name, STOPPED, OVERTAKEN)
            return named(courses_within(connection), experiment.name)
        promoted = event == PROMOTED and not experiment.is_hold_back
        write(connection, experiment.name, KEPT if experiment.is_hold_back else event, facts)
        if promoted:
            _release(connection, experiment, why, look)
        if promoted and after is not None:
            begin_within(connection, after[0], course.policy, after[1])
    return course_of(journal, experiment.name)


def _is_replaced(experiment: Experiment, standing: Sequence[VersionEvent]) -> bool:
    """Whether another version than the two serves now."""
    now = [one.artifact_sha256 for one in standing[-1:]]
    return bool(now) and now[0] not in (experiment.control, experiment.treatment)


def _what_follows(journal: Journal, name: str) -> tuple[Experiment, Size | None] | None:
    """The hold-back of an experiment that is promoted, from what is known of its requests."""
    known = courses(journal)
    course = named(known, name)
    if course.experiment.hold_back is None:
        return None
    requests = requests_of(journal, course)
    if len(requests) < LEAST_REQUESTS:
        requests = requests_before(journal, course.experiment.control, course.policy)
    return held_back(course, requests, taken={one.experiment.name for one in known})


def _release(connection: Connection, experiment: Experiment, why: str, look: Look | None) -> None:
    """Put the treatment in place; the control first, where nothing tells that it served."""
    model = experiment.model
    if not standing_within(connection, model):
        told = f"it decided before the experiment {experiment.name}"
        put_in_place(connection, model, experiment.control, {"why": told})
    facts: dict[str, Any] = {"experiment": experiment.name, "why": why or "promoted"}
    if look is not None:
        gain = look.gain_per_month
        ends = {"mean": gain.estimate, "low": gain.low, "high": gain.high}
        if all(map(math.isfinite, ends.values())):
            facts["gain_month"] = ends | {"currency": look.currency}
    put_in_place(connection, model, experiment.treatment, facts)
