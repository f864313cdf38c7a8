"""Serving hours: what a service uses of its machine, booked while it runs."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from payoff.core.errors import PayoffError
from payoff.economics.costs import Step
from payoff.learn.meter import Meter
from payoff.learn.spending import SpendingTerms

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal

EVERY_S = 900.0
"""Seconds between two bookings: what a service that is killed has not booked at most."""

_PROJECT = "payoff.toml"


@contextmanager
def serving_hours(
    desk: Desk, journal: Journal, *, tell: Callable[[str], object], every_s: float = EVERY_S
) -> Iterator[None]:
    """Book the machine's time while the block lasts, at the price that its project states.

    A booking that fails is told and tried again with the next one: a service does not end because
    its books cannot be written.

    Args:
        desk: What is served; where its project states no price, hours are booked without money.
        journal: Where the lines go.
        tell: Told of a booking that failed.
        every_s: Seconds between two bookings.

    Example:
        >>> with serving_hours(desk, journal, tell=print):  # doctest: +SKIP
        ...     serve()
    """
    meter = Meter(journal, desk.name, _terms_of(desk), step=Step.INFERENCE)
    stopped = threading.Event()

    def book() -> None:
        try:
            meter.book("serving")
        except PayoffError as error:
            tell(f"serving hours are not booked yet: {error}")

    def work() -> None:
        while not stopped.wait(every_s):
            book()

    thread = threading.Thread(target=work, name="payoff-serving-hours", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        book()


def _terms_of(desk: Desk) -> SpendingTerms:
    """What the project inside an artifact states of its machine; nothing where there is none.

    Raises:
        ProjectError: PF202 or PF203 where its section ``[machine]`` is wrong.
    """
    machine = {}
    if _PROJECT in desk.artifact.documents:
        machine = tomllib.loads(desk.artifact.read(_PROJECT).decode()).get("machine", {})
    return SpendingTerms.from_dict({}, machine, currency=desk.currency)
