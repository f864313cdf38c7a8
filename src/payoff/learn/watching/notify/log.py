"""Log: alerts as lines of the process's own log."""

from __future__ import annotations

import logging

from payoff.learn.watching.notify.channel import Message

_LOG = logging.getLogger("payoff.watch")


class Log:
    """Writes a warning when an alert is raised, and a note when it is over.

    Example:
        >>> Log().name
        'log'
    """

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return "log"

    def send(self, message: Message) -> None:
        """Write the line."""
        level = logging.INFO if message.event == "over" else logging.WARNING
        _LOG.log(level, "%s", message.body.splitlines()[0])
