"""The meter: books what a run uses as it uses it, and asks the budget before more is begun."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.prices.llm import price_llm_call
from payoff.learn.booking import Booking
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.spending import BUDGET, MACHINE, UNPRICED, SpendingTerms, spent, total

NEXT_S = 60.0
"""Seconds of work that must fit into the budget for a training under way to go on."""


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
        self._since = time.monotonic()
        self._cpu_since = _cpu_s()

    def book(self, what: str) -> None:
        """Book the time since the last booking.

        Args:
            what: What it was used for.

        Raises:
            ServiceError: PF703 to PF706 where the journal fails; the time is then still to book.
        """
        now, cpu = time.monotonic(), _cpu_s()
        line = self._hours(what, now - self._since)
        booking = Booking(uuid.uuid4().hex, self.project, line, cpu_s=cpu - self._cpu_since)
        self.journal.book([booking])
        self._since, self._cpu_since = now, cpu

    def tick(self, what: str) -> None:
        """Book the time, and refuse to go on where the budget does not hold the next minute.

        Raises:
            EconomicsError: PF620 where it would be exceeded.
            ServiceError: PF703 to PF706 where the journal fails.
        """
        self.book(what)
        self.allow(f"the next minute of {what}", NEXT_S)

    def allow(self, what: str, seconds: float) -> None:
        """Refuse what would exceed the month's budget, before it is begun.

        Args:
            what: What would be begun.
            seconds: How long it is expected to take on this machine.

        Raises:
            EconomicsError: PF620 where it would be exceeded; PF605 where a booked line is in
                another currency and there is no rate.
        """
        hourly = self.terms.machine_per_hour or 0.0
        waiting = time.monotonic() - self._since
        self.allow_cost(what, self._money(hourly * (waiting + seconds) / 3600.0))

    def allow_cost(self, what: str, cost: Money) -> None:
        """The same for what costs so much.

        Raises:
            EconomicsError: PF620, PF605.
        """
        if self.terms.per_month is None:
            return
        month = now_utc()[:7]
        cap, currency = self._money(self.terms.per_month), self.terms.currency
        # Labels at hand are booked when a run first sees them, but were paid for before.
        mine = (
            booking
            for booking in self.journal.bookings(month)
            if booking.project == self.project and booking.line.step is not Step.LABELS
        )
        gone = total(spent(mine, currency, rates=self.terms.rates), currency)
        if gone + cost <= cap:
            return
        left = max(cap - gone, self._money(0.0))
        told = [f"{money.rounded(4).amount:f} {currency}" for money in (gone, cap, left, cost)]
        raise EconomicsError(
            "PF620",
            f"{BUDGET} per_month",
            f"{told[0]} of {told[1]} are spent in {month}, {told[2]} are left, and {what} would "
            f"cost about {told[3]}",
            mend="What is done is kept: raise per_month, or run the same command again next month.",
        )

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

    def book_answers(self, usage: Mapping[str, Any], booking_id: str, *, on: date) -> None:
        """Book the tokens of an API's answers at their dated price.

        Args:
            usage: ``model``, ``n_answers``, ``input_tokens``, ``output_tokens``, and ``base_url``.
            booking_id: The same for the same answers, so that they are booked once.
            on: Day of the price.
        """
        model, n = str(usage["model"]), int(usage["n_answers"])
        counts = {"read": int(usage["input_tokens"]), "written": int(usage["output_tokens"])}
        # Some prices depend on the length of a call: those of the mean call hold.
        mean = {kind: max(1, round(count / n)) for kind, count in counts.items()} if n else {}
        note, on_day, source = "", None, ""
        each = dict.fromkeys(counts, self._money(0.0))
        try:
            if mean:
                call = price_llm_call(
                    model, input_tokens=mean["read"], output_tokens=mean["written"], on=on
                )
                each = {
                    "read": Money(call.input_cost.amount / mean["read"], "USD"),
                    "written": Money(call.output_cost.amount / mean["written"], "USD"),
                }
                on_day, source = on, call.source
        except EconomicsError as error:
            note = f"{UNPRICED}: {error.found}"
        self.journal.book(
            [
                Booking(
                    f"{booking_id}-{kind}",
                    self.project,
                    CostLine(
                        Step.API,
                        f"{model} at {usage['base_url']}, tokens {kind}",
                        count,
                        "token",
                        each[kind],
                        as_of=on_day,
                        source=source,
                        measured=not usage.get("n_unmetered"),
                        note=note,
                    ),
                )
                for kind, count in counts.items()
                if count
            ]
        )

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
