"""Serving hours: what a running service uses of its machine and its endpoints, and its budget."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payoff.artifact.runtime.allowance import Allowance, Charged
from payoff.artifact.runtime.endpoint_limits import EndpointLimits
from payoff.core.errors import EconomicsError, PayoffError
from payoff.core.findings import Finding, Status
from payoff.core.money import Money
from payoff.economics.costs import Step
from payoff.economics.prices.exchange import ExchangeRates
from payoff.learn.entry import now_utc
from payoff.learn.meter import Meter, today_utc
from payoff.learn.spending import BUDGET, SpendingTerms, unpriced_budget
from payoff.learn.stated_project import stated_project

if TYPE_CHECKING:
    from payoff.artifact.runtime.endpoint_client import EndpointClient
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal

EVERY_S = 900.0
"""Seconds between two bookings: what a service that is killed has not booked at most."""

EVERY_ASKED_S = 60.0
"""The same where an endpoint is among its models: answers of those cost more than hours."""

_FITS, _SHORT, _SPENT = "fits", "short", "spent"
_TITLE = "The month's budget holds the hours of the service"


class ServingHours:
    """The books of a running service, held against the budget that its project states.

    A service does not end because money does: answers that stop cost a business more than the
    hours do. It is not begun where the month's budget is spent already, since then somebody is
    there to decide. While it runs, what does not fit is told, and models that are paid by the
    request are not asked beyond the budget: the model before them answers.

    Args:
        desk: What is served; where its project states no price, hours are booked without money.
        journal: Where the lines go.
        tell: Told of bookings that failed, and of a budget that does not hold.
        per_month: The month's budget, in place of the one that the project states.
        hours: Whether the machine's hours are booked: one of a service's models does that.
        versions: Further versions of the model, which spend of the same budget.

    Raises:
        ProjectError: PF202 or PF203 where the project's ``[machine]`` or ``[budget]`` is wrong.

    Example:
        >>> hours = ServingHours(desk, journal, tell=print)  # doctest: +SKIP
        >>> hours.begin()  # doctest: +SKIP
        >>> hours.book()  # doctest: +SKIP
    """

    def __init__(
        self,
        desk: Desk,
        journal: Journal,
        *,
        tell: Callable[[str], object],
        per_month: float | None = None,
        hours: bool = True,
        versions: Sequence[Desk] = (),
    ) -> None:
        self._meter = Meter(
            journal, desk.name, stated_spending(desk, per_month), step=Step.INFERENCE
        )
        self.project = desk.name
        self.per_month = cap = self._meter.terms.per_month
        self._cap = None if cap is None else Money.of(cap, desk.currency)
        self._tell = tell
        self._hours = hours
        self._told = _FITS
        self._finding = Finding("PF631", _TITLE, Status.NOT_CHECKED, "nothing was looked at yet")
        self._clients: list[tuple[EndpointClient, Allowance]] = []
        self._booking = threading.Lock()  # the clock books, and whoever lets a version go
        for one in (desk, *versions):
            self._add(one)

    def _add(self, desk: Desk) -> None:
        known = [client for client, _ in self._clients]
        made = []
        for client in desk.artifact.endpoints():
            if any(client is one for one in known):
                continue
            client.allowance = Allowance(client.price)
            made.append((client, client.allowance))
        self._clients = [*self._clients, *made]

    @property
    def asks_endpoints(self) -> bool:
        """Whether models are among them that are paid by the request."""
        return bool(self._clients)

    @property
    def finding(self) -> Finding:
        """Whether the budget holds the hours, PF631, as of the last booking."""
        return self._finding

    def begin(self) -> None:
        """Look at the budget before the first answer.

        Raises:
            EconomicsError: PF630 where it is spent and hours would be booked; PF629 where it cannot
                be held, since nobody knows what a token of an endpoint costs; PF605 without a
                needed rate.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        if self._cap is None:
            return
        for client, _ in self._clients:
            if client.price is None:
                raise unpriced_budget(client.model, client.base_url)
        gone, _ = self._meter.standing()
        if self._hours and gone >= self._cap:
            raise EconomicsError(
                "PF630",
                f"{BUDGET} per_month",
                f"{gone.rounded()} of {self._cap.rounded()} are spent in {now_utc()[:7]}, and "
                "more would be spent",
                mend="Give it more (payoff serve --budget AMOUNT), or wait for the next month.",
            )
        self._look()

    def take_in(self, desk: Desk) -> None:
        """Keep the books of a further version of the model too, before its first answer.

        Raises:
            EconomicsError: PF629 where a budget is stated and nobody knows what a token of one of
                its endpoints costs; PF605 without a needed rate.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        clients = desk.artifact.endpoints()
        if not clients:
            return
        for client in clients:
            if self._cap is not None and client.price is None:
                raise unpriced_budget(client.model, client.base_url)
        self._add(desk)
        self._look()

    def let_go(self, desk: Desk) -> None:
        """Book what a version has used that answers no more, and forget it once that is booked."""
        gone = desk.artifact.endpoints()
        if not gone:
            return
        try:
            self.book()
        except PayoffError as error:
            self._tell(f"serving hours are not booked yet: {error}")
            return
        self._clients = [one for one in self._clients if one[0] not in gone]

    def book(self) -> None:
        """Book what was used since the last time, and look at the budget.

        Raises:
            ServiceError: PF703 to PF706 where the journal fails; what was used is then still to
                book.
            EconomicsError: PF605 without a needed rate.
        """
        with self._booking:
            if self._hours:
                self._meter.book("serving")
            for client, allowance in self._clients:
                charged = allowance.take()
                try:
                    self._book_answers(client, charged)
                except PayoffError:
                    allowance.give_back(charged)
                    raise
            self._look()

    def try_to_book(self) -> None:
        """The same; what fails is told, and tried again with the next booking."""
        try:
            self.book()
        except PayoffError as error:
            self._tell(f"serving hours are not booked yet: {error}")

    def as_dict(self) -> dict[str, Any] | None:
        """What the last look at the budget found; None where no budget is stated."""
        return None if self._cap is None else self._finding.as_dict()

    def _book_answers(self, client: EndpointClient, charged: Charged) -> None:
        usage = {
            "base_url": client.base_url,
            "model": client.model,
            "n_answers": charged.n_attempts,
            "n_unmetered": charged.n_unmetered,
            "input_tokens": charged.read,
            "output_tokens": charged.written,
        }
        stated = EndpointLimits.of().price
        self._meter.book_answers(usage, uuid.uuid4().hex, on=today_utc(), price=stated)

    def _look(self) -> None:
        """Tell what does not fit, once; let endpoints share what is left."""
        if self._cap is None:
            return
        gone, held = self._meter.standing()
        state, self._finding = self._judged(self._cap - gone)
        if state != self._told:
            self._told = state
            self._tell(f"{self._finding.code} {self._finding.detail}. {self._finding.mend}".strip())
        left = max(self._cap - gone - held, Money.of(0, self._cap.currency))
        for client, allowance in self._clients:
            assert client.price is not None
            share = Money(left.amount / len(self._clients), left.currency)
            allowance.allow(self._meter.exchanged(share, client.price.currency))

    def _judged(self, left: Money) -> tuple[str, Finding]:
        month, shown = now_utc()[:7], left.rounded()
        hourly = (self._meter.terms.machine_per_hour or 0.0) if self._hours else 0.0
        rest = Money.of(hourly * hours_left(datetime.now(UTC)), left.currency)
        if left.amount > 0 and rest <= left:
            detail = f"{shown} are left in {month}, and the hours to its end cost {rest.rounded()}"
            return _FITS, Finding("PF631", _TITLE, Status.PASSED, detail)
        if left.amount > 0:
            state = _SHORT
            detail = (
                f"the hours to the end of {month} will cost {rest.rounded()}, and {shown} of the "
                "budget are left; answers will go on"
            )
        else:
            state, detail = _SPENT, f"the budget of {month} is spent ({shown} left); answers go on"
        if self._clients:
            detail += ", and no endpoint is asked beyond the budget"
        mend = "Give it more: payoff serve --budget AMOUNT, and per_month in payoff.toml."
        return state, Finding("PF631", _TITLE, Status.FAILED, detail, mend)


def hours_left(now: datetime) -> float:
    """Hours to the end of a month.

    Example:
        >>> hours_left(datetime(2026, 11, 30, 18, tzinfo=UTC))
        6.0
    """
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return (following - now).total_seconds() / 3600.0


@contextmanager
def serving_hours(hours: ServingHours, *, every_s: float | None = None) -> Iterator[None]:
    """Book while the block lasts, and once more when it ends.

    A booking that fails is told and tried again with the next one: a service does not end because
    its books cannot be written.

    Args:
        hours: The books.
        every_s: Seconds between two bookings; `EVERY_S` where not given, `EVERY_ASKED_S` where an
            endpoint is asked.

    Example:
        >>> with serving_hours(ServingHours(desk, journal, tell=print)):  # doctest: +SKIP
        ...     serve()
    """
    every_s = every_s or (EVERY_ASKED_S if hours.asks_endpoints else EVERY_S)
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(every_s):
            hours.try_to_book()

    thread = threading.Thread(target=work, name="payoff-serving-hours", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        hours.try_to_book()


def stated_spending(desk: Desk, per_month: float | None = None) -> SpendingTerms:
    """What the project inside an artifact states of spending; nothing where there is none.

    Args:
        desk: What is served.
        per_month: The month's budget, in place of the one that the project states.

    Raises:
        ProjectError: PF202 or PF203 where its sections ``[machine]`` or ``[budget]`` are wrong.

    Example:
        >>> stated_spending(desk).per_month  # doctest: +SKIP
        50.0
    """
    stated = stated_project(desk.artifact)
    budget = stated.get("budget", {}) if per_month is None else {"per_month": per_month}
    section = stated.get("currency", {})
    rates = None
    if section:
        told = {"as_of": section["as_of"], "source": section["source"]}
        rates = ExchangeRates.of(desk.currency, section["rates"], **told)
    terms = SpendingTerms.from_dict(budget, stated.get("machine", {}), currency=desk.currency)
    return replace(terms, rates=rates)
