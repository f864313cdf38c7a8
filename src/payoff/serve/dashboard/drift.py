"""Drift: what a model loses a day against its forecast, why, and who was told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from payoff.learn.entry import now_utc
from payoff.learn.watching.alert_book import AlertBook, AlertState
from payoff.learn.watching.drift import SURPRISING, Mark
from payoff.learn.watching.feature import FEATURES, PREDICTED, SEGMENT
from payoff.learn.watching.glance import Glance, glance
from payoff.learn.watching.journal_window import count
from payoff.learn.watching.kept_reference import FIRST_REQUESTS
from payoff.learn.watching.watched_model import model_of
from payoff.serve.dashboard.charts import intervals
from payoff.serve.dashboard.span import DAYS, USUAL, Span
from payoff.serve.dashboard.subject import Subject

MOST_DAYS = 92
"""Days of which the loss is told, at most."""

_MOST_LABELS = 12
_CELLS = {
    "below": re.compile(r"below (\S+)"),
    "between": re.compile(r"(\S+) to (\S+)"),
    "above": re.compile(r"(\S+) and more"),
    "cluster": re.compile(r"cluster (\d+)"),
}


@dataclass(frozen=True, slots=True)
class LabelShare:
    """How frequent a label is.

    Args:
        label: Which.
        then: Share of the rows or requests that it is compared with.
        now: Share of the newest requests.
    """

    label: str
    then: float
    now: float


@dataclass(frozen=True, slots=True)
class Watching:
    """All that the page shows.

    Args:
        n: Decisions of the version that is served; where there is no glance yet, those that were
            kept with the probability of every label.
        n_needed: How many it takes before anything can be told; 1 where test rows came with the
            artifact.
        glance: At its requests; None where there are too few.
        chart: The loss of each day.
        labels: Whose share has changed most.
        drifted: Features that have changed beyond chance.
        at_rest: Features that have not.
        alerts: Of the model, those that stand first, the latest of them first.
        now: When, as the journal writes it.
    """

    n: int
    n_needed: int
    glance: Glance | None
    chart: dict[str, Any]
    labels: Sequence[LabelShare]
    drifted: Sequence[Mark]
    at_rest: Sequence[str]
    alerts: Sequence[AlertState]
    now: str


def watching(subject: Subject, span: Span) -> Watching:
    """What watching finds, without raising or ending an alert.

    Args:
        subject: The model and its journal.
        span: The days of the chart, `MOST_DAYS` at most.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF750 or PF752 where something in
            it is broken.
    """
    model, now = model_of(subject.desk.artifact), now_utc()
    launched = model.reference is not None
    days = DAYS.get(span.name, DAYS[USUAL])
    seen = glance(subject.journal, model, days=MOST_DAYS if days is None else days, now=now)
    marks = [] if seen is None else list(seen.drift.marks)
    drifted = [one for one in marks if one.surprise >= SURPRISING]
    looked_at = set() if seen is None else {one.profile.name for one in seen.reference.features}
    moved = {one.feature for one in drifted}
    states = AlertBook(subject.journal).states().values()
    return Watching(
        n=count(subject.journal, model, whole=seen is None),
        n_needed=1 if launched else FIRST_REQUESTS,
        glance=seen,
        chart={} if seen is None else _chart(seen),
        labels=() if seen is None else _labels(seen),
        drifted=drifted,
        at_rest=[one for one in FEATURES if one in looked_at and one not in moved],
        alerts=sorted(
            (one for one in states if one.alert.model in subject.names),
            key=lambda one: (not one.stands, -one.number),
        ),
        now=now,
    )


def _chart(seen: Glance) -> dict[str, Any]:
    found = [(one.low, one.loss, one.high) for one in seen.days]
    return intervals([one.day for one in seen.days], found)


def _labels(seen: Glance) -> list[LabelShare]:
    moved = np.argsort(-np.abs(seen.mix - seen.reference.mix), kind="stable")[:_MOST_LABELS]
    names = seen.reference.labels
    made = [LabelShare(names[i], float(seen.reference.mix[i]), float(seen.mix[i])) for i in moved]
    return sorted(made, key=lambda one: -one.now)


def cell_of(mark: Mark) -> tuple[str, str, str]:
    """What the cell of a feature that has grown is, to be said in any language.

    Args:
        mark: Of the feature.

    Returns:
        ``"below"``, ``"between"``, ``"above"`` or ``"cluster"`` with its ends; empty where the
        cell is a name that is the same in all languages.

    Example:
        >>> cell_of(Mark("length of the text", 0.1, 0.2, 5.0, "36 to 41"))
        ('between', '36', '41')
        >>> cell_of(Mark("label that the model says", 0.1, 0.2, 5.0, "36 to 41"))
        ('', '', '')
    """
    if mark.feature not in (PREDICTED, SEGMENT):
        for kind, pattern in _CELLS.items():
            found = pattern.fullmatch(mark.grown)
            if found:
                return kind, found[1], found[2] if pattern.groups > 1 else ""
    return "", "", ""
