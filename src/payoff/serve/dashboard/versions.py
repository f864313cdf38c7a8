"""Versions: what is served, what decided before, and what happened to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from payoff.learn.events import Event, alert_log, experiment_log
from payoff.learn.outcomes import told_by_source
from payoff.learn.tally import first_day
from payoff.serve.dashboard.subject import Subject


@dataclass(slots=True)
class Version:
    """A version that decided in the last weeks.

    Args:
        sha256: Names it.
        n: Decisions.
        worth: Sum of their expected worth.
        first_day: When it decided first.
        last_day: When it decided last.
    """

    sha256: str
    n: int
    worth: float
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class Versions:
    """All that the page shows.

    Args:
        name: Of the model.
        sha256: Of the version that is served.
        size_bytes: Of its artifact.
        tiers: Its models, by name and kind.
        n_labels: How many labels it knows.
        made_by: What made it, by name and version.
        decided: The versions that decided, the newest first.
        told: Pieces of feedback by their source.
        experiments: What happened in experiments.
        alerts: What was alerted.
    """

    name: str
    sha256: str
    size_bytes: int
    tiers: Sequence[tuple[str, str]]
    n_labels: int
    made_by: Mapping[str, Any]
    decided: Sequence[Version]
    told: Sequence[tuple[str, int]]
    experiments: Sequence[Event]
    alerts: Sequence[Event]


def versions(subject: Subject) -> Versions:
    """What is served and what happened.

    Args:
        subject: The model and its journal.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF752 where an alert is broken.
    """
    now = datetime.now(UTC)
    desk, journal, beside = subject.desk, subject.journal, subject.beside()
    found: dict[str, Version] = {}
    for one in subject.tally.read(now):
        if one.artifact_sha256 in beside.artifacts:
            continue
        new = Version(one.artifact_sha256, 0, 0.0, one.day, one.day)
        version = found.setdefault(one.artifact_sha256, new)
        version.n += one.n
        version.worth += one.worth
        version.last_day = max(version.last_day, one.day)
    artifact = desk.artifact
    made = dict(artifact.manifest.created_by)
    libraries = made.pop("libraries", {})
    return Versions(
        name=desk.name,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        tiers=[(tier.name, tier.kind) for tier in artifact.tiers],
        n_labels=len(desk.labels),
        made_by={**made, **(libraries if isinstance(libraries, dict) else {})},
        decided=sorted(found.values(), key=lambda one: one.last_day, reverse=True),
        told=told_by_source(journal, first_day(now), beside=beside),
        experiments=experiment_log(journal, model=desk.name),
        alerts=alert_log(journal, models=subject.names),
    )
