"""Course: an experiment as it stands: the shares it has had, and whether it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from payoff.economics.policy import Policy
from payoff.learn.experiments.experiment import Experiment

STARTED, RAMPED = "started", "ramped"
STOPPED, PROMOTED = "stopped", "promoted"
KEPT, ROLLED_BACK = "kept", "rolled back"
OVER = (STOPPED, PROMOTED, KEPT, ROLLED_BACK)

_DAY_S = 86_400.0
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(time_utc: str) -> float:
    """A time of the journal in days since 1970.

    Example:
        >>> day_of("1970-01-02T12:00:00.000000Z")
        1.5
    """
    return (datetime.fromisoformat(time_utc) - _ZERO).total_seconds() / _DAY_S


@dataclass(frozen=True, slots=True)
class Stage:
    """A time in which the share of the treatment stayed the same.

    Args:
        since_utc: When it began.
        share: Of the customers that the treatment decided on; 0 in the shadow.
    """

    since_utc: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """An experiment with what happened to it.

    Args:
        experiment: What is compared, and the rules.
        policy: What every action is worth: outcomes of both arms are counted by this one.
        stages: One or more, in order of time.
        over: ``"stopped"`` or ``"promoted"``; of a hold-back ``"kept"`` where the treatment stays,
            ``"rolled back"`` where it does not; empty while it runs.
        over_utc: When that was; empty while it runs.
        facts: What was written down at its end.
        size: What it was reckoned to take and to cost at most when it began, as
            `payoff.learn.experiments.sizing.Size.as_dict` has it; empty where nobody reckoned.

    Example:
        >>> EXAMPLE.share, EXAMPLE.running, EXAMPLE.in_shadow
        (0.05, True, False)
        >>> EXAMPLE.days("2026-01-03T00:00:00Z")
        2.0
    """

    experiment: Experiment
    policy: Policy
    stages: tuple[Stage, ...]
    over: str = ""
    over_utc: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    size: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the customers that the treatment decides on now."""
        if self.over:
            return 1.0 if self.over in (PROMOTED, KEPT) else 0.0
        return self.stages[-1].share

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return not self.over

    @property
    def in_shadow(self) -> bool:
        """Whether the treatment is asked beside the control and does not act."""
        return self.running and self.stages[-1].share == 0.0

    @property
    def since_utc(self) -> str:
        """When it began."""
        return self.stages[0].since_utc

    def days(self, now_utc: str) -> float:
        """Days since it began, up to its end where it is over."""
        return max(0.0, day_of(self.over_utc or now_utc) - day_of(self.since_utc))

    def days_in_stage(self, now_utc: str) -> float:
        """Days since the share was last changed."""
        return max(0.0, day_of(self.over_utc or now_utc) - day_of(self.stages[-1].since_utc))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the policy is left out."""
        return {
            "experiment": self.experiment.as_dict(),
            "stages": [{"since_utc": one.since_utc, "share": one.share} for one in self.stages],
            "share": self.share,
            "over": self.over,
            "over_utc": self.over_utc,
            "facts": dict(self.facts),
            "size": dict(self.size),
        }


EXAMPLE = Course(
    experiment=Experiment(
        name="new-head",
        model="support",
        control="a" * 64,
        treatment="b" * 64,
        currency="USD",
        low=-25.0,
        high=3.0,
        planned_information=2_000.0,
    ),
    policy=Policy(("a", "b"), np.array([[3.0, -25.0, -2.0], [-8.0, 3.0, -2.0]])),
    stages=(
        Stage("2026-01-01T00:00:00.000000Z", 0.01),
        Stage("2026-01-02T00:00:00.000000Z", 0.05),
    ),
)
"""A small one, for the examples in the documentation."""
