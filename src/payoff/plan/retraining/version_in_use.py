"""The version in use: which artifact decides today, where it lies, and what its run measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from payoff.core.errors import ProjectError, ServiceError
from payoff.economics.desk import Desk, load
from payoff.learn.journal import Journal
from payoff.learn.neighbours import neighbours_of
from payoff.learn.versions import released
from payoff.learn.watching.alert_book import standing_alert
from payoff.learn.whereabouts import located
from payoff.plan.kept import Kept
from payoff.plan.project import Project
from payoff.plan.retraining.class_changes import Recalls


@dataclass(frozen=True)
class VersionInUse:
    """The artifact that decides today.

    Args:
        path: Where it lies.
        desk: The same, opened.
    """

    path: Path
    desk: Desk

    @classmethod
    def of(cls, project: Project, journal: Journal, artifact: Path | None = None) -> VersionInUse:
        """The artifact that is named; else the one released last; else ``NAME.payoff``.

        Raises:
            ServiceError: PF779 where it is another one than the journal says is released, or knows
                no label of the project; PF703 to PF706 where the database fails.
            ArtifactError: PF501 to PF509 where it cannot be opened.
        """
        event = released(journal, project.name)
        path = artifact or project.folder / f"{project.name}.payoff"
        noted = event and event.facts.get("artifact")
        if event is not None and artifact is None and noted:
            try:
                path = located(event.artifact_sha256, str(noted), [project.folder])
            except ServiceError:  # what lies there instead is told below
                path = project.folder / str(noted)
        desk = load(path)
        sha256 = desk.artifact.sha256
        if artifact is None and event is not None and event.artifact_sha256 != sha256:
            desk.close()
            raise ServiceError(
                "PF779",
                str(path),
                f"its SHA-256 is {sha256[:12]}…",
                expected=f"{event.artifact_sha256[:12]}…, which is released",
                mend="Name the artifact in use with --artifact.",
            )
        return cls(path, desk)

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Refuse an artifact that has nothing to do with the project.

        Raises:
            ServiceError: PF779 where it knows none of these labels.
        """
        if not set(self.desk.labels) & set(labels):
            raise ServiceError(
                "PF779",
                str(self.path),
                f"it knows {', '.join(self.desk.labels[:5])}",
                expected=f"some of {', '.join(labels[:10])}",
                mend="Name the artifact in use with --artifact.",
            )

    def losing_since(self, journal: Journal) -> str:
        """The day from which on a standing alert says that it loses money; empty without one.

        Raises:
            ServiceError: PF703 to PF706 where the database fails; PF752 where an alert is broken.
        """
        alert = standing_alert(journal, self.desk.artifact.name, self.desk.artifact.sha256)
        return "" if alert is None else alert.since

    def others(self, journal: Journal, project: Project) -> frozenset[str]:
        """SHA-256 of the artifacts of other models, whose requests say nothing about this one.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        return neighbours_of(journal, project.name, self.desk.artifact.name).artifacts

    def run(self, runs: Path, name: str) -> Path | None:
        """The folder of the run that made it; None where it is not kept."""
        content = self.path.read_bytes() if self.path.is_file() else b""
        for made in runs.glob(f"{name}-*/{name}.payoff"):
            if made.stat().st_size == len(content) and made.read_bytes() == content:
                return made.parent
        return None


def recalls(run: Path | None) -> Recalls:
    """How often each class is told rightly on the test rows of a run; empty where not kept."""
    if run is None:
        return {}
    try:
        kept = Kept.read(run)
    except ProjectError:
        return {}
    chosen = next((one for one in kept.options if one.name == kept.chosen), None)
    if chosen is None:  # a cascade: its tiers' answers are kept, not its own
        return {}
    right = np.asarray(chosen.test).argmax(axis=1) == kept.test_truth
    return {
        label: (int(right[rows].sum()), int(rows.sum()))
        for number, label in enumerate(kept.labels)
        if (rows := kept.test_truth == number).any()
    }


def next_version(folder: Path, name: str, at_least: int = 2) -> tuple[int, Path]:
    """The number of a new version and where it goes: beside the others, over none of them.

    Args:
        folder: The project's.
        name: Of the model.
        at_least: The lowest number that may be given.

    Example:
        >>> next_version(Path("nowhere"), "support")[1].name
        'support.2.payoff'
    """
    pattern = re.compile(re.escape(name) + r"\.(\d+)\.payoff")
    found = [pattern.fullmatch(path.name) for path in folder.glob("*.payoff")]
    number = max([at_least - 1, *(int(one[1]) for one in found if one)]) + 1
    return number, folder / f"{name}.{number}.payoff"
