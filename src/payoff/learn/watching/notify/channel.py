"""Channel: a way to tell people, and what is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from payoff.learn.watching.alert import Alert


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is given: figures of an alert, and nothing that a customer wrote.

    Args:
        event: ``"raised"`` or ``"over"``.
        number: Of the event in the journal: the same message has the same number, so that who
            receives it twice can tell.
        time_utc: Of the event.
        alert: What it is about.

    Example:
        >>> alert = Alert(key="loss desk", model="desk", a_day=9.0, low=5.0, high=12.0,
        ...               currency="EUR", cause="Why.", since="2026-11-03", n_requests=2000,
        ...               n_labels=0)
        >>> Message("over", 7, "2026-11-09T08:00:00.000000Z", alert).subject
        'payoff: loss desk is over'
    """

    event: str
    number: int
    time_utc: str
    alert: Alert

    @property
    def subject(self) -> str:
        """One line."""
        if self.event == "over":
            return f"payoff: {self.alert.key} is over"
        return f"payoff: {self.alert.key}, {self.alert.a_day:,.2f} {self.alert.currency} a day"

    @property
    def body(self) -> str:
        """The same in a few lines."""
        if self.event == "over":
            return f"The loss is over. It was: {self.alert.sentence}"
        if self.alert.mended:  # it is told once: there is nothing to silence
            return self.alert.sentence
        silence = f'Tell nobody for two days: payoff watch silence "{self.alert.key}" --for 2d'
        return f"{self.alert.sentence}\n\n{silence}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "event": self.event,
            "number": self.number,
            "time_utc": self.time_utc,
            "alert": self.alert.as_dict(),
            "text": self.body,
        }


class Channel(Protocol):
    """A way to tell people. It either tells them or raises a coded error, within its timeout."""

    @property
    def name(self) -> str:
        """What the journal calls it, without any secret."""

    def send(self, message: Message) -> None:
        """Tell people.

        Raises:
            ServiceError: PF747 or PF748 where they could not be told.
        """
