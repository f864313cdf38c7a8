"""The meter: books what a run uses as it uses it, and asks the budget before more is begun."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.prices.exchange import ExchangeRates
from payoff.learn.booking import Booking
from payoff.learn.entry import now_utc
from payoff.learn.hold import Hold, new_holder
from payoff.learn.journal import Journal
from payoff.learn.spending import BUDGET, MACHINE, UNPRICED, SpendingTerms, spent, total
from payoff.learn.token_lines import TokenLines

NEXT_S = 60.0
"""Seconds of work that must fit into the budget for a training under way to go on."""

_LEAST_HOLD_S = 600.0


class Meter:
    """Counts the time of this machine since it was made, and books it in the journal.

    Each booking is of the time since the last one, under an id of its own, so that bookings of
    several processes add up, and a killed process has booked what it used up to its last one.

    Args:
        journal: Where the lines go.
        project: Whose money it is.
        terms: Budget, price of this machine, rates.
        step: What the time is used for: ``Step.TRAINING``, or ``Step.INFERENCE`` in a service.

    Example:
        >>> terms = SpendingTerms(currency="USD", per_month=10.0, machine_per_hour=0.10)
        >>> with Journal.open("sqlite://") as journal:
        ...     meter = Meter(journal, "support", terms)
        ...     meter.book("fine-tune minilm-l6")
        ...     journal.bookings()[0].line.unit_price
        Money(0.1 USD)
    """

    def __init__(
        self,
        journal: Journal,
        project: str,
        terms: SpendingTerms,
        *,
        step: Step = Step.TRAINING,
    ) -> None:
        self.journal = journal
        self.project = project
        self.terms = terms
        self.step = step
        self._holder = new_holder()
        self._held: Hold | None = None
        self._since = time.monotonic()
        self._cpu_since = _cpu_s()

    def book(self, what: str) -> None:
        """Book the time since the last booking; it is held for this no more.

        Args:
            what: What it was used for.

        Raises:
            ServiceError: PF703 to PF706 where the journal fails; the time is then still to book.
        """
        now, cpu = time.monotonic(), _cpu_s()
        line = self._hours(what, now - self._since)
        booking = Booking(uuid.uuid4().hex, self.project, line, cpu_s=cpu - self._cpu_since)
        self._write([booking])
        self._since, self._cpu_since = now, cpu

    def _write(self, bookings: Sequence[Booking]) -> None:
        """Book what was used of what is held."""
        left = self._held
        if left is not None:
            amounts = (self.exchanged(one.line.amount) for one in bookings)
            rest = left.amount - sum(amounts, start=self._money(0.0))
            left = replace(left, amount=max(rest, self._money(0.0)))
        self.journal.book(bookings, left=left)
        self._held = left

    def tick(self, what: str) -> None:
        """Book the time, and refuse to go on where the budget does not hold the next minute.

        Raises:
            EconomicsError: PF620 where it would be exceeded.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        self.book(what)
        hourly = self.terms.machine_per_hour or 0.0
        minute = self._money(hourly * NEXT_S / 3600.0)
        rest = minute if self._held is None else max(minute, self._held.amount)
        self._hold(f"the next minute of {what}", minute, rest, seconds=NEXT_S)

    def allow(self, what: str, seconds: float, *, besides: Money | None = None) -> None:
        """Refuse what would exceed the month's budget, before it is begun.

        Args:
            what: What would be begun.
            seconds: How long it is expected to take on this machine.
            besides: What it costs at most beside the machine's time, such as an API's answers.

        Raises:
            EconomicsError: PF620 where it would be exceeded; PF605 where a booked line is in
                another currency and there is no rate.
        """
        hourly = self.terms.machine_per_hour or 0.0
        waiting = time.monotonic() - self._since
        cost = self._money(hourly * (waiting + seconds) / 3600.0)
        if besides is not None:
            cost = cost + self.exchanged(besides)
        self.allow_cost(what, cost, seconds=seconds)

    def allow_cost(self, what: str, cost: Money, *, seconds: float = 0.0) -> None:
        """The same for what costs so much; it is held for this until it is booked or released.

        The look at the budget and the hold are one transaction of the journal: of two processes
        that ask at the same time, the second one finds what the first one holds. Who has ended
        without a word holds nothing any more once that is known or its time is over.

        Args:
            what: What would be begun.
            cost: What it costs.
            seconds: How long it is expected to take.

        Raises:
            EconomicsError: PF620, PF605.
        """
        self._hold(what, cost, cost, seconds=seconds)

    def _hold(self, what: str, cost: Money, rest: Money, *, seconds: float) -> None:
        """Hold ``rest``, or ``cost`` where that is too much; refuse where that is too."""
        if self.terms.per_month is None:
            return
        until = now_utc(max(_LEAST_HOLD_S, 2.0 * seconds))
        asked = Hold(self._holder, self.project, what, cost, until)

        def allowed(booked: list[Booking], others: list[Hold]) -> Hold:
            return self._allowed(asked, rest, booked, others)

        self._held = self.journal.hold(asked, allowed)

    def _allowed(self, asked: Hold, rest: Money, booked: list[Booking], others: list[Hold]) -> Hold:
        """The hold, or the complaint that the budget does not bear it."""
        cap, currency = self._money(self.terms.per_month or 0.0), self.terms.currency
        gone, kept = self._gone(booked), self._kept(others)
        if gone + kept + asked.amount <= cap:
            return replace(asked, amount=rest) if gone + kept + rest <= cap else asked
        left = max(cap - gone, self._money(0.0))
        told = [
            f"{m.rounded(4).amount:f} {currency}" for m in (gone, cap, left, asked.amount, kept)
        ]
        held = f", {told[4]} of them held for {others[0].what} under way" if others else ""
        raise EconomicsError(
            "PF620",
            f"{BUDGET} per_month",
            f"{told[0]} of {told[1]} are spent in {now_utc()[:7]}, {told[2]} are left{held}, and "
            f"{asked.what} would cost about {told[3]}",
            mend="What is done is kept: raise per_month, or run the same command again next month.",
        )

    def standing(self) -> tuple[Money, Money]:
        """What of the month's budget is spent, and what others hold of it.

        Raises:
            EconomicsError: PF605 where a booked line is in another currency without a rate.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        booked, others = self.journal.standing(self.project, self._holder)
        return self._gone(booked), self._kept(others)

    def left(self) -> Money | None:
        """What is left of the month's budget, less what others hold; None where there is none.

        Raises:
            EconomicsError, ServiceError: As `standing`.
        """
        if self.terms.per_month is None:
            return None
        return self._money(self.terms.per_month) - sum(self.standing(), start=self._money(0.0))

    def _gone(self, booked: list[Booking]) -> Money:
        currency = self.terms.currency
        return total(spent(booked, currency, rates=self.terms.rates), currency)

    def _kept(self, others: list[Hold]) -> Money:
        return sum((self.exchanged(one.amount) for one in others), start=self._money(0.0))

    def release(self) -> None:
        """Hold nothing of the budget any more: the work is done, or ends here.

        Raises:
            ServiceError: PF703 to PF706 where the journal fails.
        """
        if self._held is not None:
            self.journal.release(self._holder)
            self._held = None

    def exchanged(self, amount: Money, currency: str = "") -> Money:
        """An amount in another currency, at today's rate.

        Args:
            amount: In any currency.
            currency: Wanted; that of the books where it is empty.

        Raises:
            EconomicsError: PF605 without a needed rate.
        """
        wanted, rates = currency or self.terms.currency, self.terms.rates
        if not amount.amount or amount.currency == wanted:
            return Money(amount.amount, wanted)
        if rates is None:
            rates = ExchangeRates(wanted)
        return rates.convert(amount, wanted, today_utc())

    def book_labels(self, labelled: Iterable[tuple[str, str]], price_each: Money) -> int:
        """Book labels that were bought, each once for ever, whatever run uses it again.

        Args:
            labelled: Text and label of each.
            price_each: What one costs.

        Returns:
            How many had not been booked before.
        """
        line = CostLine(
            Step.LABELS,
            "labels",
            1,
            "label",
            price_each,
            as_of=None,
            source="payoff.toml [labels]",
            measured=True,
        )
        now = now_utc()
        return self.journal.book(
            [
                Booking(_label_id(self.project, *pair), self.project, line, time_utc=now)
                for pair in labelled
            ]
        )

    def book_answers(
        self,
        usage: Mapping[str, Any],
        booking_id: str,
        *,
        on: date,
        price: TokenPrice | None = None,
    ) -> None:
        """Book the tokens of some answers of an API together, at their price.

        Args:
            usage: ``model``, ``base_url``, ``n_answers``, ``input_tokens``, ``output_tokens``, and
                ``n_unmetered`` where some were not counted.
            booking_id: Names these answers for ever.
            on: Day of the price.
            price: Of a token, where it is stated; else the dated price of the model holds.
        """
        priced = TokenLines.of(usage, currency=self.terms.currency, on=on, price=price)
        lines = priced.lines(
            int(usage["input_tokens"]),
            int(usage["output_tokens"]),
            measured=not usage.get("n_unmetered"),
        )
        if lines:
            named = ((f"{booking_id}-{kind}", line) for kind, line in lines.items())
            self._write([Booking(name, self.project, line) for name, line in named])

    def book_paid(
        self,
        answers: Mapping[str, Answer],
        *,
        model: str,
        base_url: str,
        within: str,
        on: date,
        price: TokenPrice | None = None,
    ) -> None:
        """Book the answers of an endpoint, each once for ever, whoever finds it paid for.

        Args:
            answers: By the hashes of their questions.
            model: Who answered.
            base_url: Where.
            within: What names the store in which an answer is paid for once.
            on: Day of the price.
            price: Of a token, where it is stated; else the dated price of the model holds.
        """
        named = {_answer_id(self.project, within, key): one for key, one in answers.items()}
        known = self.journal.booked_among(f"{name}-read" for name in named)
        new = {name: one for name, one in named.items() if f"{name}-read" not in known}
        usage = {
            "model": model,
            "base_url": base_url,
            "n_answers": len(new),
            "input_tokens": sum(one.input_tokens for one in new.values()),
            "output_tokens": sum(one.output_tokens for one in new.values()),
        }
        priced = TokenLines.of(usage, currency=self.terms.currency, on=on, price=price)
        bookings = [
            Booking(f"{name}-{kind}", self.project, line)
            for name, one in new.items()
            for kind, line in priced.lines(
                one.input_tokens, one.output_tokens, measured=one.metered
            ).items()
        ]
        if bookings:
            self._write(bookings)

    def _hours(self, what: str, seconds: float) -> CostLine:
        stated = self.terms.machine_per_hour is not None
        return CostLine(
            self.step,
            what,
            max(seconds, 0.0) / 3600.0,
            "hour",
            self._money(self.terms.machine_per_hour or 0.0),
            as_of=None,
            source=MACHINE if stated else "",
            measured=True,
            note="" if stated else f"{UNPRICED} for an hour of this machine",
        )

    def _money(self, amount: float) -> Money:
        return Money.of(amount, self.terms.currency)


def _label_id(project: str, text: str, label: str) -> str:
    """Names a bought label: the same text with the same label is bought once."""
    return "label-" + hashlib.sha256("\0".join((project, text, label)).encode()).hexdigest()[:40]


def _answer_id(project: str, within: str, key: str) -> str:
    """Names an answer that was paid for: within its store the same question is asked once."""
    return "answer-" + hashlib.sha256("\0".join((project, within, key)).encode()).hexdigest()[:40]


def _cpu_s() -> float:
    """Processor time of this process and of those that it waited for, of all cores together."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def today_utc() -> date:
    """The day as the journal counts it.

    Example:
        >>> today_utc().isoformat() == now_utc()[:10]
        True
    """
    return datetime.now(UTC).date()
