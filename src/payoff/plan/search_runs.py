"""Search runs: the trainings that a search took, which a retraining takes again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SearchRuns:
    """How often a search trained something, and how long that took in all.

    Args:
        n_runs: Candidates on which time was spent, those stopped early too.
        seconds: Of all of them together, on this machine.

    Example:
        >>> SearchRuns(4, 120.0).mean_s
        30.0
    """

    n_runs: int
    seconds: float

    @property
    def mean_s(self) -> float:
        """Seconds of one run."""
        return self.seconds / self.n_runs

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
