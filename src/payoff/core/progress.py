"""Progress of long work, told to whoever listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What long work reports to: a terminal, a log, a test, or nobody.

    `step` may be called from the working thread as often as the work likes; listeners throttle.
    """

    def step(self, what: str, done: float, total: float) -> None:
        """``done`` of ``total`` units of the work named ``what`` are finished."""

    def say(self, message: str) -> None:
        """Something happened that a person would want to read once."""


class Silent:
    """Progress that nobody listens to.

    Example:
        >>> Silent().say("nobody hears this")
    """

    def step(self, what: str, done: float, total: float) -> None:
        """Ignore."""

    def say(self, message: str) -> None:
        """Ignore."""
