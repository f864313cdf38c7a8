"""History: an experiment as it looked on the evenings of its course."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from payoff.learn.entry import now_utc
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.look import Look, look_at
from payoff.learn.experiments.outcomes import requests_of
from payoff.learn.journal import Journal

MOST_LOOKS = 28
"""Evenings that are looked back at; a longer course is looked at every few days."""


@dataclass(frozen=True, eq=False, slots=True)
class PastLook:
    """An experiment at one moment of its course.

    Args:
        time_utc: When.
        look: Of the requests until then, with what is known of them today.
    """

    time_utc: str
    look: Look


def history(
    journal: Journal, course: Course, *, now: str = "", most: int = MOST_LOOKS
) -> list[PastLook]:
    """Looks at the requests until each evening, the last one until now or until the end.

    A confidence sequence holds at all of these looks together. Outcomes that were told later count
    at every look: an evening is shown with what is known of its requests today.

    Args:
        journal: Of the service that decides.
        course: The experiment.
        now: The time, as the journal writes it; now where empty.
        most: Looks, at most.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     found = history(journal, EXAMPLE, now="2026-01-04T06:00:00.000000Z")
        >>> [(one.time_utc[:13], one.look.share) for one in found]
        [('2026-01-02T00', 0.05), ('2026-01-03T00', 0.05), ('2026-01-04T00', 0.05), \
('2026-01-04T06', 0.05)]
    """
    requests = requests_of(journal, course)
    found = []
    for time_utc in _evenings(course, now or now_utc(), most):
        then = _as_of(course, time_utc)
        until = requests.only(requests.day <= then.days(time_utc))
        found.append(PastLook(time_utc, look_at(then, until, time_utc)))
    return found


def _evenings(course: Course, now: str, most: int) -> list[str]:
    """The ends of the days since it began, evenly thinned, and the last moment."""
    begin = datetime.fromisoformat(course.since_utc)
    end = datetime.fromisoformat(course.over_utc or now)
    first = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    n = max(0, -(-(end - first) // timedelta(days=1)))
    places: list[int] = np.unique(np.linspace(0, n - 1, min(n, most - 1)).astype(int)).tolist()
    moments = [*(first + timedelta(days=place) for place in places), max(begin, end)]
    return [one.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for one in moments]


def _as_of(course: Course, time_utc: str) -> Course:
    """The course as it was: with the shares that it had had, and under way."""
    stages = tuple(one for one in course.stages if one.since_utc <= time_utc)
    return replace(course, stages=stages or course.stages[:1], over="", over_utc="", facts={})
