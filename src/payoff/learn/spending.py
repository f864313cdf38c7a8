"""Spending: what was spent on what, by month, and what is left of a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from payoff.core.errors import EconomicsError
from payoff.core.findings import Finding, Status
from payoff.core.money import Money
from payoff.economics.costs import Step
from payoff.economics.energy import Factor, grid, power
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.stated import Stated
from payoff.learn.booking import Booking

UNPRICED = "no price is stated"
"""How the note of a line begins whose price nobody stated: its money is 0 and wrong."""

BUDGET = "payoff.toml [budget]"
MACHINE = "payoff.toml [machine]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingTerms:
    """What a project states about spending: the sections ``[budget]`` and ``[machine]``.

    Args:
        currency: Currency of the books' sums.
        per_month: Most that may be spent in a month; None is no budget.
        machine_per_hour: What an hour of this machine costs; None where nobody stated it.
        watts_per_cpu: Power of one busy processor of this machine.
        grams_per_kwh: Carbon of its electricity; None where the place is not stated.
        rates: Dated rates of exchange for lines in other currencies.

    Example:
        >>> terms = SpendingTerms.from_dict({"per_month": 50}, {"price_per_hour": 0.1})
        >>> terms.per_month, terms.watts_per_cpu.value
        (50.0, 3.9725)
    """

    currency: str
    per_month: float | None = None
    machine_per_hour: float | None = None
    watts_per_cpu: Factor = field(default_factory=power)
    grams_per_kwh: Factor | None = None
    rates: ExchangeRates | None = None

    @classmethod
    def from_dict(
        cls, budget: Mapping[str, Any], machine: Mapping[str, Any], *, currency: str = "USD"
    ) -> SpendingTerms:
        """Read the two sections; both may be empty.

        Raises:
            ProjectError: PF202 for unknown keys; PF203 for wrong figures, and where a budget is
                stated but not what this machine costs, so that it could not be held.
        """
        caps, here = Stated(BUDGET), Stated(MACHINE)
        caps.keys(budget, ("per_month",))
        here.keys(machine, ("price_per_hour", "watts_per_cpu", "grams_per_kwh", "country"))
        caps.optional("per_month", budget.get("per_month"), at_least=0)
        figures: dict[str, float | None] = {}
        for key in ("price_per_hour", "watts_per_cpu", "grams_per_kwh"):
            figures[key] = machine.get(key)
            here.optional(key, figures[key], at_least=0)
        if "per_month" in budget and "price_per_hour" not in machine:
            here.wrong(
                "'price_per_hour' is missing", expected="it, since there is a budget to hold"
            )
        carbon = None
        if figures["grams_per_kwh"] is None and machine.get("country") is not None:
            try:
                carbon = grid(str(machine["country"]))
            except EconomicsError as error:
                here.wrong(error.found, expected=error.expected, mend=error.mend)
        caps.problems += here.problems
        caps.raise_all()
        if figures["grams_per_kwh"] is not None:
            carbon = Factor(float(figures["grams_per_kwh"]), None, MACHINE)
        watts = figures["watts_per_cpu"]
        cap = budget.get("per_month")
        return cls(
            currency=currency,
            per_month=None if cap is None else float(cap),
            machine_per_hour=figures["price_per_hour"],
            watts_per_cpu=power() if watts is None else Factor(float(watts), None, MACHINE),
            grams_per_kwh=carbon,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """The lines of a month for one thing, added up.

    Args:
        month: Such as ``"2026-11"``.
        step: What it belongs to.
        what: What was paid for.
        unit: What ``quantity`` counts.
        quantity: Sum over the lines.
        amount: Exact sum over the lines, in the books' currency.
        n_lines: How many.
        n_unpriced: Those of them whose price nobody stated.
        cpu_s: Processor time measured with them.
    """

    month: str
    step: Step
    what: str
    unit: str
    quantity: float
    amount: Money
    n_lines: int
    n_unpriced: int
    cpu_s: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money as exact decimal text."""
        return {
            "month": self.month,
            "step": self.step.value,
            "what": self.what,
            "unit": self.unit,
            "quantity": self.quantity,
            "amount": format(self.amount.amount, "f"),
            "currency": self.amount.currency,
            "n_lines": self.n_lines,
            "n_unpriced": self.n_unpriced,
            "cpu_s": self.cpu_s,
        }


def spent(
    bookings: Iterable[Booking], currency: str, *, rates: ExchangeRates | None = None
) -> list[Spent]:
    """Add bookings up by month, step and thing.

    Args:
        bookings: Of the journal; an id counts once, also where several journals have it.
        currency: Currency of the sums.
        rates: Rates for lines in other currencies, by the day of each line.

    Raises:
        EconomicsError: PF605 where a line is in another currency and there is no rate.

    Example:
        >>> from payoff.economics.costs import labels_line
        >>> lines = [labels_line(n, Money.of("0.08", "USD")) for n in (3, 4)]
        >>> books = [Booking(f"b-{n}", "p", line) for n, line in enumerate(lines)]
        >>> [(one.quantity, one.amount) for one in spent([*books, books[0]], "USD")]
        [(7.0, Money(0.56 USD))]
    """
    sums: dict[tuple[str, Step, str, str], Spent] = {}
    seen: set[str] = set()
    for booking in bookings:
        if booking.booking_id in seen:
            continue
        seen.add(booking.booking_id)
        line = booking.line
        key = (booking.month, line.step, line.what, line.unit)
        before = sums.get(key) or Spent(*key, 0.0, Money.of(0, currency), 0, 0, 0.0)
        sums[key] = replace(
            before,
            quantity=before.quantity + line.quantity,
            amount=before.amount + _in(currency, booking, rates),
            n_lines=before.n_lines + 1,
            n_unpriced=before.n_unpriced + line.note.startswith(UNPRICED),
            cpu_s=before.cpu_s + (booking.cpu_s or 0.0),
        )
    return sorted(sums.values(), key=lambda one: (one.month, one.step, -one.amount.amount))


def total(rows: Iterable[Spent], currency: str) -> Money:
    """Exact sum of some rows.

    Example:
        >>> total([], "USD")
        Money(0 USD)
    """
    return sum((row.amount for row in rows), Money.of(0, currency))


def unpriced(rows: Iterable[Spent]) -> Finding:
    """The check that every line has a price: a sum with a line of 0 would look too small.

    Example:
        >>> unpriced([]).status.value
        'not applicable'
    """
    listed = list(rows)
    without = [row for row in listed if row.n_unpriced]
    title = "Every booked line has a price"
    if not listed:
        return Finding("PF660", title, Status.NOT_APPLICABLE, "nothing is booked")
    if not without:
        return Finding("PF660", title, Status.PASSED, f"{sum(r.n_lines for r in listed)} lines")
    n_lines = sum(row.n_unpriced for row in without)
    names = ", ".join(dict.fromkeys(row.what for row in without[:4]))
    return Finding(
        "PF660",
        title,
        Status.FAILED,
        f"{n_lines} lines are booked as 0 because {UNPRICED}: {names}",
        mend=f"State price_per_hour in {MACHINE}; what is booked already stays as it is.",
        n_affected=n_lines,
    )


def unpriced_budget(model: str, base_url: str) -> EconomicsError:
    """The error where a budget is to be held and nobody knows what a token costs.

    Example:
        >>> unpriced_budget("tiny", "http://127.0.0.1:8000/v1").code
        'PF629'
    """
    return EconomicsError(
        "PF629",
        f"{BUDGET} per_month",
        f"nobody knows what a token of '{model}' at {base_url} costs",
        expected="a price, so that the budget can be held",
        mend="State the price of a million tokens read and written, as in: export "
        "PAYOFF_ENDPOINT_PRICE='0.15 0.60 USD'; '0 0 USD' where it is free.",
    )


def _in(currency: str, booking: Booking, rates: ExchangeRates | None) -> Money:
    amount = booking.line.amount
    if not amount.amount:
        return Money.of(0, currency)  # an hour without a price: nothing needs no rate
    if amount.currency == currency or rates is None:
        return amount
    return rates.convert(amount, currency, date.fromisoformat(booking.time_utc[:10]))
