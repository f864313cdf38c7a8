"""Trackers of experiments, one a file, all behind one interface (`tracker.Tracker`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from payoff.core.registry import Registry
from payoff.plan.trackers.tracker import Tracker


def tracker_named(name: str) -> Callable[[Path], Tracker]:
    """What makes trackers of one kind, from the folder of runs.

    Raises:
        AdaptError: PF401 where there is none of that name.
    """
    made: Callable[[Path], Tracker] = Registry("payoff.trackers", "tracker").get(name)
    return made
