"""Experiments: what is compared, how sure it is by now, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payoff.core.errors import ServiceError
from payoff.learn.entry import now_utc
from payoff.learn.experiments.book import courses
from payoff.learn.experiments.confidence_sequence import Interval
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.experiment import Mode
from payoff.learn.experiments.history import PastLook, history
from payoff.learn.experiments.look import Look
from payoff.serve.dashboard.charts import intervals
from payoff.serve.dashboard.subject import Subject


@dataclass(frozen=True, slots=True)
class Ended:
    """What was written down when an experiment ended.

    Args:
        gain: A request, with its interval; None where nobody had looked.
        why: In a sentence, as it was written.
    """

    gain: Interval | None
    why: str


@dataclass(frozen=True, slots=True)
class Trials:
    """All that the page shows.

    Args:
        courses: Of the model, the newest first.
        ended: What was written down of those that are over, by name.
        course: The one that is looked at; None where there is none at all.
        looks: At it, the first evening first.
        chart: The intervals of the looks.
        days: Since it began, up to its end.
        days_in_stage: Since the share was last changed.
    """

    courses: Sequence[Course]
    ended: dict[str, Ended]
    course: Course | None
    looks: Sequence[PastLook]
    chart: dict[str, Any]
    days: float
    days_in_stage: float

    @property
    def look(self) -> Look:
        """The last one."""
        return self.looks[-1].look

    @property
    def verdict(self) -> str:
        """What is sure by now: ``"better"``, ``"worse"``, ``"open"`` or ``"unknown"``."""
        gain = self.look.gain
        if not math.isfinite(self.look.standard_error):
            return "unknown"
        return "better" if gain.low > 0 else "worse" if gain.high < 0 else "open"

    @property
    def next_share(self) -> float | None:
        """The next step of the ramp."""
        course = self.course
        if course is None or not course.running or course.experiment.mode is Mode.BANDIT:
            return None
        return course.experiment.next_share(course.share)


def trials(subject: Subject, name: str = "") -> Trials:
    """Experiments on a model, and a look at one of them.

    Args:
        subject: The model and its journal.
        name: Of the experiment; empty for the one that runs, or else the last one.

    Raises:
        ServiceError: PF732 where there is none of that name; PF703 to PF706 where the database
            fails.
    """
    found = [c for c in courses(subject.journal) if c.experiment.model == subject.desk.name]
    found.reverse()
    ended = {c.experiment.name: _ended(c) for c in found if not c.running}
    if name:
        chosen = next((c for c in found if c.experiment.name == name), None)
        if chosen is None:
            raise ServiceError(
                "PF732", f"experiment '{name[:100]}'", "there is none of that name on this model"
            )
    else:
        chosen = next((c for c in found if c.running), found[0] if found else None)
    if chosen is None:
        return Trials((), {}, None, (), {}, 0.0, 0.0)
    now = now_utc()
    looks = history(subject.journal, chosen, now=now)
    return Trials(
        courses=found,
        ended=ended,
        course=chosen,
        looks=looks,
        chart=_chart(looks),
        days=chosen.days(now),
        days_in_stage=chosen.days_in_stage(now),
    )


def day_before(time_utc: str) -> str:
    """The day that ends at a moment, or in which it is.

    Example:
        >>> day_before("2026-11-30T00:00:00.000000Z"), day_before("2026-11-30T08:00:00.000000Z")
        ('2026-11-29', '2026-11-30')
    """
    moment = datetime.fromisoformat(time_utc) - timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%d")


def _chart(looks: Sequence[PastLook]) -> dict[str, Any]:
    known = [one for one in looks if math.isfinite(one.look.standard_error)]
    gains = [one.look.gain for one in known]
    names = [day_before(one.time_utc) for one in known]
    return intervals(names, [(one.low, one.estimate, one.high) for one in gains], whole=0.5)


def _ended(course: Course) -> Ended:
    look = course.facts.get("look")
    gain = look.get("gain_per_request") if isinstance(look, dict) else None
    interval = None
    if isinstance(gain, dict) and all(isinstance(one, int | float) for one in gain.values()):
        interval = Interval(gain["estimate"], gain["low"], gain["high"])
    return Ended(interval, str(course.facts.get("why") or ""))
