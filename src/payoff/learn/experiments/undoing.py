"""Undoing: a hold-back comes to its end: the promotion is kept, or taken back with an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from payoff.learn.experiments.course import KEPT, ROLLED_BACK, STOPPED, Course
from payoff.learn.experiments.course_events import under_way, write
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.holding_back import roll_back_alert
from payoff.learn.experiments.look import Look
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.journal import Journal
from payoff.learn.versions import VersionEvent, put_back, standing_within
from payoff.learn.watching.alert_book import put_up_within

OVERTAKEN = {"why": "another version was released, or one of the two was withdrawn", "look": None}
"""What is noted of a hold-back whose promotion stands no more."""

BY = "payoff, by itself"
"""Who rolled back."""


def is_overtaken(experiment: Experiment, standing: Sequence[VersionEvent]) -> bool:
    """Whether a hold-back has nothing to decide any more.

    Somebody has released another version since its promotion, has rolled it back, or has withdrawn
    the version that it would bring again: what people did is never undone.

    Args:
        experiment: Any one; one that is no hold-back is never overtaken.
        standing: Releases of the model (`payoff.learn.versions.standing_releases`).

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> is_overtaken(EXAMPLE.experiment, [])
        False
    """
    if not experiment.is_hold_back:
        return False
    releases = [one.artifact_sha256 for one in standing]
    return releases[-1:] != [experiment.treatment] or experiment.control not in releases


def settle(journal: Journal, course: Course, look: Look) -> None:
    """Do what a look at a hold-back says: end it, or take the promotion back.

    The release of the version before, who did it and why, the end of the hold-back and the alert
    are written together or not at all: a process that is killed in between leaves none of them, and
    the next look does it. The hold-back is over then, so that a promotion is taken back once.

    Args:
        journal: Where it runs.
        course: The hold-back when it was looked at.
        look: What was seen.

    Raises:
        ServiceError: PF733 where it is over; PF703 to PF706 where the database fails.

    Example:
        >>> settle(journal, course, look_now(journal, course))  # doctest: +SKIP
    """
    advised, name = look.recommendation, course.experiment.name
    facts: dict[str, Any] = {"why": advised.sentence, "look": look.as_dict()}
    with journal.writing() as connection:
        course = under_way(connection, name)
        experiment = course.experiment
        standing = standing_within(connection, experiment.model)
        if is_overtaken(experiment, standing):
            write(connection, name, STOPPED, OVERTAKEN)
        elif advised.advice is Advice.KEEP:
            write(connection, name, KEPT, facts)
        elif advised.advice is Advice.ROLL_BACK:
            before = next(one for one in standing if one.artifact_sha256 == experiment.control)
            told = {"by": BY, "why": advised.sentence, "experiment": name}
            put_back(connection, standing[-1], before, told)
            write(connection, name, ROLLED_BACK, facts)
            put_up_within(connection, roll_back_alert(course, look))
