"""Retrained: what came of a retraining, in money, class by class, and in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from payoff.core.findings import Finding
from payoff.core.money import format_money
from payoff.plan.retraining.class_changes import ClassChange
from payoff.plan.retraining.gathered import Gathered
from payoff.plan.retraining.judged import Judged


class Outcome(StrEnum):
    """What is to be done."""

    BETTER = "better"
    NOT_BETTER = "not better"
    CLASSES_LOST = "classes lost"


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """The result of a retraining.

    Args:
        outcome: What is to be done.
        old: The artifact in use, which is not touched.
        old_sha256: Of it.
        new_sha256: Of the new version.
        artifact: The new version; None where it is not worth writing.
        version: Its number; None where none was written.
        folder: The run's, with the report, ``retraining.json`` and ``feedback_rows.json``.
        judged: The comparison in money.
        changes: The comparison class by class.
        gathered: What was learnt from.
        findings: All checks.
        cost: Of the machine and of waiting.
        seconds: That it took.
        requests: A month.
        months: Until the next retraining.
        currency: Of all money.
        notes: What was assumed.
    """

    outcome: Outcome
    old: Path
    old_sha256: str
    new_sha256: str
    artifact: Path | None
    version: int | None
    folder: Path
    judged: Judged
    changes: tuple[ClassChange, ...]
    gathered: Gathered
    findings: tuple[Finding, ...]
    cost: float
    seconds: float
    requests: float
    months: float
    currency: str
    notes: tuple[str, ...] = ()

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes that the old version does not know."""
        return tuple(one.label for one in self.changes if one.state == "new")

    @property
    def sentence(self) -> str:
        """What to do, and why."""
        mean, low, high = (
            format_money(amount, self.currency) for amount in self.judged.gain_month(self.requests)
        )
        gain = f"{mean} a month (5 to 95 %: {low} to {high})"
        cost = format_money(self.cost, self.currency)
        if self.outcome is Outcome.CLASSES_LOST:
            lost = ", ".join(one.label for one in self.changes if one.state == "lost")
            told = f"Keep the old version: the new one loses what was known of {lost}, though it"
            told += f" would gain {gain}." if self.judged.gain_each > 0 else f" gains only {gain}."
        elif self.outcome is Outcome.NOT_BETTER:
            told = (
                f"Keep the old version: the new one would gain {gain}, which is not surely more"
                f" than the {cost} that it cost."
            )
        else:
            told = (
                f"Put the new version to the test: it is expected to earn {gain} more than the old"
                f" one, and training it cost {cost}."
            )
        if self.artifact is not None and self.outcome is not Outcome.BETTER:
            told += " It was written all the same, as you asked."
        return told

    def compare_command(self, journal: str) -> str:
        """The command that puts the new version out as an experiment; empty where none is."""
        if self.artifact is None:
            return ""
        name = self.artifact.name.removesuffix(".payoff").replace(".", "-")
        words = (str(self.old), str(self.artifact), "--journal", journal, "--name", name)
        return " ".join(("payoff compare start", *map(_quoted, words)))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        mean, low, high = self.judged.gain_month(self.requests)
        return {
            "outcome": self.outcome.value,
            "sentence": self.sentence,
            "currency": self.currency,
            "gain_month": {"mean": mean, "low": low, "high": high},
            "months_until_retraining": self.months,
            "cost": self.cost,
            "seconds": self.seconds,
            "old": {"artifact": str(self.old), "sha256": self.old_sha256},
            "new": {
                "artifact": None if self.artifact is None else str(self.artifact),
                "sha256": self.new_sha256,
                "version": self.version,
                "classes": list(self.new_classes),
            },
            "judged": self.judged.as_dict(),
            "classes": [one.as_dict() for one in self.changes],
            "labellers": [one.as_dict() for one in self.gathered.labellers],
            "lineage": self.gathered.lineage(),
            "findings": [one.as_dict() for one in self.findings],
            "notes": list(self.notes),
            "folder": str(self.folder),
        }

    def facts(self, folder: Path) -> Mapping[str, Any]:
        """What the journal notes of the version that was made.

        Args:
            folder: The project's, which paths are told from.
        """
        assert self.artifact is not None
        mean, low, high = self.judged.gain_month(self.requests)
        forecast = dict(zip(("mean", "low", "high"), self.judged.forecast_each, strict=True))
        return {
            "version": self.version,
            "artifact": _within(self.artifact, folder),
            "before": {"artifact": _within(self.old, folder), "sha256": self.old_sha256},
            "outcome": self.outcome.value,
            "gain_month": {"mean": mean, "low": low, "high": high, "currency": self.currency},
            "forecast_each": forecast | {"currency": self.currency},
            "accuracy": self.judged.new_accuracy,
            "cost": self.cost,
            "run": _within(self.folder, folder),
            "lineage": self.gathered.lineage(),
        }


def _within(path: Path, folder: Path) -> str:
    """A path as it is told from a folder, where it lies there."""
    whole, root = path.resolve(), folder.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
