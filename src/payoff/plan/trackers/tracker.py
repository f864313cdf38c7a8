"""The interface of every tracker of experiments: one object for one training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """Where one training is written down, to be looked at beside others.

    What is registered under the entry point ``payoff.trackers`` is called with the folder of runs
    and gives such an object. It may raise anything: a failing tracker is dropped, and said.
    """

    def start(self, name: str, params: Mapping[str, Any]) -> None:
        """Begin.

        Args:
            name: What people read.
            params: Settings and seeds, as plain values.
        """

    def metric(self, name: str, value: float, step: int) -> None:
        """The figure ``GROUP/NAME`` has this value at this step of its group."""

    def artifact(self, path: Path) -> None:
        """Keep a copy of a file."""

    def end(self, status: str) -> None:
        """Finish: ``"finished"``, ``"stopped"`` before its end, ``"failed"`` or ``"killed"``."""
