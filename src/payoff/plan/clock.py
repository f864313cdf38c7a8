"""The budget of a search in seconds, across processes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clock:
    """Counts the seconds of a search.

    Args:
        budget_s: Seconds in all.
        reserve_s: Seconds kept for exporting, measuring and reporting.
        before_s: Seconds that earlier processes of the same run took.

    Example:
        >>> Clock(600, reserve_s=60, before_s=500).left() <= 40
        True
    """

    budget_s: float
    reserve_s: float = 0.0
    before_s: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def spent(self) -> float:
        """Seconds since the search began, in this process and in those before."""
        return self.before_s + time.monotonic() - self._started

    def left(self) -> float:
        """Seconds for candidates; negative when over."""
        return self.budget_s - self.reserve_s - self.spent()
