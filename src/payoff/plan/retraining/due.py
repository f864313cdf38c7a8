"""Due: whether a schedule that asks now is to retrain, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from payoff.core.errors import ServiceError
from payoff.learn.experiments.book import courses, running_on
from payoff.learn.journal import Journal
from payoff.learn.versions import MADE, VersionEvent, history, released
from payoff.plan.project import Project
from payoff.plan.retraining.retrain import Wish, is_pending
from payoff.plan.retraining.retrained import Outcome
from payoff.plan.retraining.whether_it_pays import Estimate, whether_it_pays


@dataclass(frozen=True, kw_only=True)
class Due:
    """Whether to retrain now.

    Args:
        due: Whether it is time.
        why: In a sentence.
        last_utc: When the last retraining ended, whatever came of it; empty for none.
        estimate: What it would bring; None where that was not asked, or nothing is labelled.
    """

    due: bool
    why: str
    last_utc: str = ""
    estimate: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "due": self.due,
            "why": self.why,
            "last_utc": self.last_utc,
            "estimate": None if self.estimate is None else self.estimate.as_dict(),
        }


def whether_due(
    project: Project,
    journal: Journal,
    wish: Wish | None = None,
    *,
    now: str,
    every_s: float | None = None,
    when_it_pays: bool = False,
) -> Due:
    """Decide for a schedule; trains nothing and writes nothing.

    Not while an experiment of the model runs, nor before the time has come, nor without new labels
    enough, nor, where that is asked, unless it pays. A retraining that was killed goes on first. A
    hold-back keeps nobody from retraining: only the next experiment waits for its end.

    Args:
        project: Value, traffic, prices.
        journal: What was asked, decided and told.
        wish: How the retraining would be wanted.
        now: The time, as the journal writes it.
        every_s: Seconds from the end of one retraining to the next; None for any.
        when_it_pays: Only where the expected gain is above the cost.

    Raises:
        ServiceError: PF779 where the version in use does not fit; PF703 to PF706 where the database
            fails.
        ArtifactError: PF501 to PF509 where the version in use cannot be opened.
    """
    last = _last_retraining(project, journal)
    course = running_on(journal, project.name)
    if course is not None and not course.experiment.is_hold_back:
        told = f"Not due: the experiment '{course.experiment.name}' is running."
        return Due(due=False, why=told, last_utc=last)
    if is_pending(project):
        return Due(due=True, why="Due: a retraining that was stopped goes on.", last_utc=last)
    if every_s is not None and last and _seconds(last, now) < every_s:
        told = f"Not due: the last retraining ended on {last[:10]}."
        return Due(due=False, why=told, last_utc=last)
    try:
        estimate = whether_it_pays(project, journal, wish)
    except ServiceError as error:
        if error.code != "PF770":
            raise
        return Due(due=False, why=f"Not due: {error.found}.", last_utc=last)
    ready = estimate.n_new > 0 and not estimate.lacking
    if estimate.pays if when_it_pays else ready:
        told = estimate.sentence if when_it_pays else f"Due: {estimate.n_new:,} labels are new."
        return Due(due=True, why=told, last_utc=last, estimate=estimate)
    return Due(due=False, why=f"Not due. {estimate.sentence}", last_utc=last, estimate=estimate)


def unproved(project: Project, journal: Journal) -> VersionEvent | None:
    """The newest version if it is better by its judges and no experiment was begun on it yet.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
    """
    made = [one for one in history(journal, project.name) if one.event == MADE]
    made = [one for one in made if "version" in one.facts]
    if not made or made[-1].facts.get("outcome") != Outcome.BETTER.value:
        return None
    newest, now = made[-1], released(journal, project.name)
    tried = {one.experiment.treatment for one in courses(journal)}
    if newest.artifact_sha256 in tried or (now and now.artifact_sha256 == newest.artifact_sha256):
        return None
    return newest


def _last_retraining(project: Project, journal: Journal) -> str:
    """When the last one ended, by the journal and by what it left on this disk."""
    events = [one for one in history(journal, project.name) if one.event == MADE]
    times = [one.time_utc for one in events if "version" in one.facts]
    folder: Path = project.folder / "runs"
    for file in folder.glob(f"{project.name}-*/retraining.json"):
        ended = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        times.append(ended.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return max(times, default="")


def _seconds(earlier: str, later: str) -> float:
    begin, end = (datetime.fromisoformat(one) for one in (earlier, later))
    return (end - begin).total_seconds()
