"""Tracking: a listener that writes each candidate's training down in a tracker of experiments.

It is given to `search`, `tune` or `sweep` as their progress. A tracker that fails, since a server
is away or a disk is full, is told once and dropped; the work goes on without it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.core.errors import PayoffError
from payoff.core.files import write_json
from payoff.core.findings import Finding, Status
from payoff.core.measured import tell
from payoff.core.progress import Progress, Silent
from payoff.evidence.calibration import cross_fitted
from payoff.evidence.evidence import Evidence
from payoff.evidence.quality import log_losses
from payoff.plan.trackers import tracker_named
from payoff.plan.trackers.tracker import Tracker


class Tracking:
    """Passes progress on, and tells a tracker what is trained, with which settings, and how well.

    Args:
        name: Name of the tracker: ``mlflow``, ``tensorboard`` or ``wandb``, or one of a plug-in.
        folder: The folder of runs; trackers that write files write them there.
        progress: Who else listens.
        facts: What holds for all candidates, such as the fingerprint of the data.

    Raises:
        AdaptError: PF401 for an unknown tracker.
        MachineError: PF803 where its library is not installed.

    Example:
        >>> with Tracking("mlflow", Path("runs")) as listener:  # doctest: +SKIP
        ...     payoff.tune(tickets, "lora", progress=listener)
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        progress: Progress | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.dropped = ""
        self._progress = progress or Silent()
        self._facts = {"payoff": version("payoff"), **(facts or {})}
        self._make = tracker_named(name)
        self._first: Tracker | None = self._make(folder)  # a missing library is told now
        self._open: dict[str, Tracker] = {}
        self._trained: list[str] = []
        self._judged: set[tuple[str, str, int]] = set()

    def step(self, what: str, done: float, total: float) -> None:
        """Pass it on."""
        self._progress.step(what, done, total)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._progress.say(message)

    def measured(self, name: str, value: float, step: int) -> None:
        """Tell the tracker of the candidate that is trained at this moment."""
        if not self._trained:
            return
        key = self._trained[-1]
        if name.startswith("validation/"):  # told again where a kept rung is gone on from
            if (key, name, step) in self._judged:
                return
            self._judged.add((key, name, step))
        self._told(key, lambda t: t.metric(name, float(value), step))

    @contextlib.contextmanager
    def training(self, candidate: Candidate, params: Mapping[str, Any]) -> Iterator[None]:
        """While the block lasts, what is measured is this candidate's.

        A candidate that is paused and gone on with, as a search does, stays one entry.
        """
        self._begin(candidate, params)
        self._trained.append(candidate.key)
        try:
            yield
        except PayoffError:
            self.end(candidate, "failed")
            raise
        finally:
            self._trained.pop()

    def artifact(self, candidate: Candidate, path: Path) -> None:
        """Keep a file with a candidate."""
        self._told(candidate.key, lambda t: t.artifact(path))

    def end(self, candidate: Candidate, status: str) -> None:
        """A candidate is done with."""
        self._told(candidate.key, lambda t: t.end(status))
        self._open.pop(candidate.key, None)

    def close(self, status: str = "finished") -> None:
        """All candidates are done with."""
        for key in list(self._open):
            self._told(key, lambda t: t.end(status))
            self._open.pop(key, None)

    def __enter__(self) -> Tracking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.close("failed" if isinstance(error, Exception) else "killed")

    @property
    def finding(self) -> Finding:
        """Whether everything could be written down."""
        return Finding(
            "PF472",
            "Every training was written down in the tracker",
            Status.FAILED if self.dropped else Status.PASSED,
            f"{self.name}: {self.dropped}" if self.dropped else "",
            mend="See that the tracker can be reached and its folder written; the work itself is "
            "not affected."
            if self.dropped
            else "",
        )

    def _begin(self, candidate: Candidate, params: Mapping[str, Any]) -> None:
        if self.dropped or candidate.key in self._open:
            return
        try:
            tracker = self._first or self._make(self.folder)
            self._first = None
            self._open[candidate.key] = tracker
            tracker.start(candidate.name, {**self._facts, **params})
        except Exception as error:
            self._drop(error)

    def _told(self, key: str, tell_it: Callable[[Tracker], None]) -> None:
        if self.dropped or key not in self._open:
            return
        try:
            tell_it(self._open[key])
        except Exception as error:
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        lines = str(error).strip().splitlines()
        self.dropped = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        for tracker in self._open.values():
            with contextlib.suppress(Exception):  # it may be able to close what it has
                tracker.end("failed")
        self._open.clear()
        self.say(f"PF472 tracker '{self.name}' failed and is left out: {self.dropped}")


def training_of(bench: Workbench, candidate: Candidate) -> AbstractContextManager[None]:
    """While the block lasts, what a tracker hears is this candidate's; nothing without one."""
    training = getattr(bench.progress, "training", None)
    if training is None:
        return contextlib.nullcontext()
    params = {
        "recipe": candidate.recipe,
        "backbone": candidate.backbone,
        **dict(candidate.settings),
        "seed": bench.seed,
        "n_train": len(bench.train),
        "n_labels": len(bench.labels),
    }
    context: AbstractContextManager[None] = training(candidate, params)
    return context


def tell_rung(bench: Workbench, share: float, logits: NDArray[np.float32], seconds: float) -> None:
    """Figures and seconds at a rung, at a step in per cent of the work.

    For classes accuracy and calibrated log loss; else all that the task measures.
    """
    if getattr(bench.progress, "measured", None) is None:
        return
    truth = bench.targets[bench.validation]
    step = round(100 * share)
    if bench.task.name != "classes":
        figures = bench.task.cross_measure(logits, truth, seed=bench.seed).as_dict()
        for name, value in figures.items():
            if isinstance(value, float):
                tell(bench.progress, f"validation/{name}", value, step)
        tell(bench.progress, "validation/training_s", seconds, step)
        return
    losses = log_losses(cross_fitted(logits, truth, seed=bench.seed), truth)
    accuracy = float((logits.argmax(1) == truth).mean())
    tell(bench.progress, "validation/accuracy", accuracy, step)
    tell(bench.progress, "validation/log_loss", float(losses.mean()), step)
    tell(bench.progress, "validation/training_s", seconds, step)


def keep_evidence(progress: Progress, candidate: Candidate, evidence: Evidence, path: Path) -> None:
    """Write what was measured of a tier beside the run, and give it to a tracker, if there is one.

    Args:
        progress: Who listens.
        candidate: Of the tier.
        evidence: What was measured.
        path: Where it is written.
    """
    keep = getattr(progress, "artifact", None)
    if keep is not None:
        write_json(path, evidence.as_dict())
        keep(candidate, path)


def ended(progress: Progress, candidate: Candidate, status: str) -> None:
    """A candidate will not be gone on with."""
    end = getattr(progress, "end", None)
    if end is not None:
        end(candidate, status)
