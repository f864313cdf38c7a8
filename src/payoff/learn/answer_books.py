"""Answer books: what endpoints charge for a batch of texts, priced before and booked at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from payoff.artifact.runtime.allowance import Allowance
from payoff.artifact.runtime.endpoint_limits import EndpointLimits
from payoff.core.errors import EconomicsError, PayoffError
from payoff.learn.meter import Meter, today_utc
from payoff.learn.spending import BUDGET, unpriced_budget

if TYPE_CHECKING:
    from payoff.artifact.runtime.endpoint_budget import Settle
    from payoff.artifact.runtime.endpoint_client import EndpointClient
    from payoff.artifact.runtime.token_price import TokenPrice
    from payoff.economics.desk import Desk


class AnswerBooks:
    """The books of whoever asks an artifact about many texts and then ends.

    Before questions are sent, the most that they may cost, each at its first attempt, is held of
    the month's budget, or refused. Every attempt is booked as soon as it ended, so that a process
    that is killed has lost no line but those of attempts under way, of which nobody knows whether
    they were charged. Attempts that nobody counted (a broken line, an error of the server) are
    booked at the most that they can have cost, as not measured.

    A service keeps `payoff.learn.serving_hours.ServingHours` instead.

    Args:
        desk: What is asked; the models of it that somebody else serves get these books.
        meter: Budget, rates, and the journal where the lines go.

    Raises:
        EconomicsError: PF629 where there is a budget and nobody knows what a token costs.

    Example:
        >>> books = AnswerBooks(desk, meter)  # doctest: +SKIP
        >>> decisions = desk.decide_many(texts)  # doctest: +SKIP
        >>> books.close()  # doctest: +SKIP
    """

    def __init__(self, desk: Desk, meter: Meter) -> None:
        self._clients = desk.artifact.endpoints()
        for client in self._clients:
            if meter.terms.per_month is not None and client.price is None:
                raise unpriced_budget(client.model, client.base_url)
        turn, writing = threading.Lock(), threading.Lock()
        self._kept = [_BookedAllowance(client, meter, turn, writing) for client in self._clients]
        for client, allowance in zip(self._clients, self._kept, strict=True):
            client.allowance = allowance

    def close(self) -> None:
        """Book what could not be booked before; from here on these models are asked without books.

        Raises:
            ServiceError: PF703 to PF706 where the journal fails.
        """
        for client in self._clients:
            client.allowance = None
        for allowance in self._kept:
            allowance.book()


class _BookedAllowance(Allowance):
    """What may be spent on one endpoint; every attempt is booked before the next begins.

    Args:
        client: Who asks it.
        meter: Of all endpoints of an artifact.
        turn: One batch of questions at a time, since a meter holds money for one.
        writing: One booking at a time.
    """

    def __init__(
        self, client: EndpointClient, meter: Meter, turn: threading.Lock, writing: threading.Lock
    ) -> None:
        super().__init__(client.price)
        self._client, self._meter = client, meter
        self._turn, self._writing = turn, writing

    @contextmanager
    def job(self, n_questions: int, read: int, written: int) -> Iterator[None]:
        """Hold the most that some questions may cost, until all of them are answered.

        Raises:
            EconomicsError: PF620 where the month's budget does not hold it; PF605 without a needed
                rate.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        with self._turn:
            try:
                self._begin(n_questions, read, written)
                yield
            finally:
                with self._writing:
                    self._meter.release()

    def _begin(self, n_questions: int, read: int, written: int) -> None:
        client, meter = self._client, self._meter
        if meter.terms.per_month is None or client.price is None:
            return
        most = meter.exchanged(client.price.cost(read, written))
        what = f"asking {client.model} about {n_questions:,} texts (held is the most)"
        longest_s = n_questions * client.timeout_s / client.max_parallel
        with self._writing:
            meter.allow_cost(what, most, seconds=longest_s)
            left = meter.left()
        assert left is not None
        self.allow(meter.exchanged(left, client.price.currency))

    @contextmanager
    def reserved(self, read: int, written: int, price: TokenPrice | None) -> Iterator[Settle]:
        """Hold back the most that an attempt can cost while it is under way, and book it then.

        Raises:
            EconomicsError: PF620 where an attempt, such as a repetition, could cost more than is
                left.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        try:
            with super().reserved(read, written, price) as settle:
                yield settle
        finally:
            self.book()

    def book(self) -> None:
        """Book what was charged and is not booked yet."""
        with self._writing:
            charged = self.spend()
            if not charged.n_attempts:
                return
            usage = {
                "base_url": self._client.base_url,
                "model": self._client.model,
                "n_answers": charged.n_attempts,
                "n_unmetered": charged.n_unmetered,
                "input_tokens": charged.read,
                "output_tokens": charged.written,
            }
            stated = EndpointLimits.of().price
            try:
                self._meter.book_answers(usage, uuid.uuid4().hex, on=today_utc(), price=stated)
            except PayoffError:
                self.give_back(charged)
                raise

    def _refused(self, found: str) -> PayoffError:
        return EconomicsError(
            "PF620",
            f"{BUDGET} per_month",
            found,
            mend="What was answered is booked: raise per_month, or run the same command again next "
            "month.",
        )
