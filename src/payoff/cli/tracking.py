"""The option ``--track``: trainings written down in a tracker of experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.terminal import Terminal
from payoff.core.progress import Progress

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset

track_option = click.option(
    "--track", default="", help="Write trainings down in: mlflow, tensorboard or wandb."
)


@contextmanager
def tracked(terminal: Terminal, track: str, runs: Path, dataset: Dataset) -> Iterator[Progress]:
    """The terminal as a listener, and a tracker beside it where one is named.

    Args:
        terminal: The verb's output.
        track: Name of a tracker, or nothing.
        runs: The folder of runs.
        dataset: What is learnt from.

    Raises:
        AdaptError: PF401 for an unknown tracker.
        MachineError: PF803 where its library is not installed.
    """
    if not track:
        yield terminal
        return
    from payoff.plan.trackers.tracking import Tracking

    facts = {"data": dataset.fingerprint}
    with Tracking(track, runs, progress=terminal, facts=facts) as listener:
        yield listener


def told(listener: Progress) -> dict[str, Any]:
    """What JSON says of a tracker; nothing without one."""
    finding = getattr(listener, "finding", None)
    return {} if finding is None else {"tracking": finding.as_dict()}
