"""Training that outlives a killed process within a rung: its state, written down as it goes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from payoff.adapt.recipes.recipe import Attempt
from payoff.core.files import disk_errors, whole_folder, write_json
from payoff.core.progress import Progress
from payoff.plan.runs import Run

EVERY_S = 30.0
"""Seconds between two states that are kept, unless writing them would take too much of it."""

_LEAST_WORK = 20.0  # times as long as the writing of a state took


@runtime_checkable
class Interruptible(Protocol):
    """An attempt whose training can be written down between any two of its steps."""

    def keep(self, folder: Path) -> None:
        """Write the training as it stands."""

    def take_up(self, folder: Path) -> None:
        """Go on exactly where `keep` was called."""


class Keeper:
    """Listens to a training and keeps its state every so often; give it to the attempt's bench.

    Args:
        run: Where it is kept, beside the rungs, under ``key`` and ``-unfinished``.
        key: Of the candidate.
        progress: Who else listens.
        every_s: Seconds between two states; `EVERY_S` where not given, and less often where writing
            one takes long.
        noted: Called after a state was kept, and as often where the attempt cannot be kept.

    Attributes:
        earlier_s: Seconds that earlier processes had put into what was taken up.
    """

    def __init__(
        self,
        run: Run,
        key: str,
        progress: Progress,
        *,
        every_s: float | None = None,
        noted: Callable[[], None] | None = None,
    ) -> None:
        self.earlier_s = 0.0
        self._folder = run.attempt(f"{key}-unfinished")
        self._progress = progress
        self._every_s = EVERY_S if every_s is None else every_s
        self._noted = noted
        self._attempt: Interruptible | None = None
        self._share = 0.0
        self._began = time.monotonic()
        self._due = self._began + self._every_s

    def advance(self, attempt: Attempt, share: float) -> None:
        """Train up to ``share``, from what an earlier process kept on its way there.

        An attempt that is not `Interruptible` is trained without being kept.

        Raises:
            AdaptError: As the attempt does.
            MachineError: PF801 where the disk is full.
        """
        self._began, self._share, self.earlier_s = time.monotonic(), share, 0.0
        self._due = self._began + self._every_s
        if not isinstance(attempt, Interruptible):
            attempt.advance(share)
            return
        self._take_up(attempt)
        self._attempt = attempt
        try:
            attempt.advance(share)
        finally:
            self._attempt = None

    def forget(self) -> None:
        """Remove what was kept: the rung is done and recorded."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def step(self, what: str, done: float, total: float) -> None:
        """Pass it on, and keep the state if it is time."""
        self._progress.step(what, done, total)
        # A step is told once the optimiser is done with it, so that what is kept is whole.
        if time.monotonic() < self._due:
            return
        if self._attempt is not None and what == "fine-tuning":
            self._keep(self._attempt)
        elif self._attempt is None and self._noted:
            self._due = time.monotonic() + self._every_s
            self._noted()

    def say(self, message: str) -> None:
        """Pass it on."""
        self._progress.say(message)

    def __getattr__(self, name: str) -> Any:
        """What else the listener hears."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._progress, name)

    def _keep(self, attempt: Interruptible) -> None:
        begun = time.monotonic()
        seconds = self.earlier_s + begun - self._began
        with whole_folder(self._folder) as draft, disk_errors(draft):
            attempt.keep(draft)
            write_json(draft / "kept.json", {"share": self._share, "seconds": seconds})
        now = time.monotonic()
        self._due = now + max(self._every_s, _LEAST_WORK * (now - begun))
        if self._noted:
            self._noted()

    def _take_up(self, attempt: Interruptible) -> None:
        for draft in self._folder.parent.glob(f".{self._folder.name}.*"):
            shutil.rmtree(draft, ignore_errors=True)  # a process was killed while it wrote
        kept = self._folder / "kept.json"
        if not kept.exists():
            return
        found = json.loads(kept.read_text("utf-8"))
        if found["share"] != self._share:
            return
        attempt.take_up(self._folder)
        self.earlier_s = found["seconds"]
        self.say(f"going on within {self._folder.name}, {self.earlier_s:.0f} s into it")
