"""The plan: what a search recommends, with its forecast, its evidence and its artifact."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from payoff.core.errors import MachineError
from payoff.core.files import disk_errors
from payoff.economics.decision import Decision
from payoff.economics.desk import Desk, load
from payoff.economics.forecast import Forecast
from payoff.evidence.evidence import Evidence


@dataclass(frozen=True)
class Plan:
    """The plan that earns most, of those that were compared.

    Args:
        name: Recipe, backbone, settings and precision.
        forecast: From test rows.
        evidence: On test rows.
        summary: All that the report tells, as plain values.
        artifact: ``NAME.payoff`` in the run's folder.
        folder: The run's folder, with ``report.html`` and ``summary.json``.

    Example:
        >>> plan.save("support.payoff")  # doctest: +SKIP
        >>> payoff.load("support.payoff").decide("where is my card?")  # doctest: +SKIP
    """

    name: str
    forecast: Forecast
    evidence: Evidence
    summary: Mapping[str, Any]
    artifact: Path
    folder: Path

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def table(self) -> list[dict[str, Any]]:
        """All plans that were compared, the best first, with why each lost."""
        return list(self.summary["plans"])

    @cached_property
    def desk(self) -> Desk:
        """The plan's artifact, loaded."""
        return load(self.artifact)

    def decide(self, text: str, *, segment: str | None = None) -> Decision:
        """Decide one request with the plan's artifact."""
        return self.desk.decide(text, segment=segment)

    def decide_many(
        self, texts: Sequence[str], *, segments: Sequence[str | None] | None = None
    ) -> list[Decision]:
        """Decide many requests with the plan's artifact."""
        return self.desk.decide_many(texts, segments=segments)

    def save(self, path: str | Path) -> Path:
        """Copy the artifact to ``path``, whole or not at all.

        Raises:
            MachineError: PF801 or PF802 where it cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            raise MachineError(
                "PF802", str(target), "it is a folder", mend="Name a file, such as NAME.payoff."
            )
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.draft")
            try:
                shutil.copyfile(self.artifact, draft)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        return target
