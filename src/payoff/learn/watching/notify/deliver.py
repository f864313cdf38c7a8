"""Deliver: every channel is told of every alert, once, and again where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from payoff.core.errors import ServiceError
from payoff.learn.entry import now_utc
from payoff.learn.watching.alert_book import OVER, RAISED, AlertBook, still_to_tell
from payoff.learn.watching.notify.channel import Channel, Message


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel.

    Args:
        alert: Key of the alert.
        event: ``"raised"`` or ``"over"``.
        channel: Name of the channel.
        failure: Why it could not be told; empty where it was.
    """

    alert: str
    event: str
    channel: str
    failure: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self)


def deliver(book: AlertBook, channels: Sequence[Channel], *, now: str = "") -> list[Delivery]:
    """Tell the channels what they have not been told; what fails is kept and tried again.

    What happened is in the journal before and after, so that a watcher that is killed tells no
    alert less than once. A channel that fails does not keep the others from being told. No
    decision waits for this: it is called by whoever watches, not by whoever answers.

    Args:
        book: The alerts.
        channels: Whom to tell.
        now: The time, as the journal writes it; now where empty.

    Returns:
        What was tried.

    Raises:
        ServiceError: PF703 to PF706 where the journal fails.

    Example:
        >>> from payoff.learn.journal import Journal
        >>> from payoff.learn.watching.notify.log import Log
        >>> with Journal.open("sqlite://") as journal:
        ...     deliver(AlertBook(journal), [Log()])
        []
    """
    by_name = {channel.name: channel for channel in channels}
    done = []
    for state, name in still_to_tell(book.states(), list(by_name), now or now_utc()):
        event = OVER if state.is_over else RAISED
        message = Message(event, state.number, state.time_utc, state.alert)
        failure = ""
        try:
            by_name[name].send(message)
        except ServiceError as error:
            failure = str(error)
        book.note(state.alert.key, state.number, name, failure=failure)
        done.append(Delivery(state.alert.key, event, name, failure))
    return done
