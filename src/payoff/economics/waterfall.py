"""Waterfall: from what is earned to what is left; cash by month; both readings of the formula."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from payoff.core.money import Money
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.ledger import ENTRIES, Books, Earning

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

_CENT: Final = Decimal("0.01")
_HALF_A_CENT: Final = Decimal("0.005")
_CLOUD: Final = (Step.INFERENCE, Step.API, Step.TRANSFER, Step.STORAGE)


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """One step of the waterfall: its name and its mean amount a month.

    Example:
        >>> WaterfallStep("people", Money.of(-3, "EUR")).as_dict()
        {'name': 'people', 'amount': -3.0, 'currency': 'EUR'}
    """

    name: str
    amount: Money

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "amount": float(self.amount), "currency": self.amount.currency}


@dataclass(frozen=True, slots=True)
class MonthCash:
    """Cumulative cash at the end of a month, counted from 1: mean, 5 % and 95 %.

    Example:
        >>> MonthCash(1, 10.0, 8.0, 12.5).as_dict()
        {'month': 1, 'mean': 10.0, 'low': 8.0, 'high': 12.5}
    """

    month: int
    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {"month": self.month, "mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The mission's formula, read both ways; all amounts are means a month.

    First reading: ``profit = E_model − hosting − other costs``. Second: ``E = E_model + E_cloud``
    with ``E_cloud = reference − hosting``, and ``profit = E − reference − other costs``.

    Args:
        e_model: Worth of what the model does, before all costs.
        hosting: What the chosen hosting costs: inference, API, transfer and storage.
        reference: What the reference hosting would cost; the chosen one's where none is given.
        other_costs: People, training, labels and build.
        profit: The forecast's mean profit.

    Example:
        >>> one = [Money.of(amount, "EUR") for amount in (100, 10, 30, 50, 40)]
        >>> both = Reconciliation(*one)
        >>> both.e_cloud, both.holds
        (Money(20 EUR), True)
    """

    e_model: Money
    hosting: Money
    reference: Money
    other_costs: Money
    profit: Money

    @property
    def e_cloud(self) -> Money:
        """What the choice of hosting saves against the reference."""
        return self.reference - self.hosting

    @property
    def difference(self) -> Money:
        """The larger distance of the two readings from the profit."""
        first = self.e_model - self.hosting - self.other_costs - self.profit
        second = self.e_model + self.e_cloud - self.reference - self.other_costs - self.profit
        return Money(max(abs(first.amount), abs(second.amount)), self.profit.currency)

    @property
    def holds(self) -> bool:
        """Whether both readings give the profit, to less than half a cent."""
        return self.difference.amount < _HALF_A_CENT

    def to_the_cent(self) -> Reconciliation:
        """The same in whole cents, so that both readings add up exactly as they are shown.

        The profit is rounded. What rounding the others leaves over goes, a cent each, to those
        whose rounding it undoes most, so that each is less than a cent from its exact amount.
        Readings that do not hold are rounded and left apart.

        Example:
            >>> third = [Money.of(amount, "EUR") for amount in ("0.335", "0.115", 1, "0.115")]
            >>> exact = Reconciliation(*third, profit=Money.of("0.105", "EUR"))
            >>> told = exact.to_the_cent()
            >>> told.e_model - told.hosting - told.other_costs == told.profit, told.profit
            (True, Money(0.10 EUR))
        """
        signs = {"e_model": 1, "hosting": -1, "other_costs": -1}
        amounts = {name: getattr(self, name) for name in signs}
        told = {name: amount.rounded() for name, amount in amounts.items()}
        profit = self.profit.rounded()
        sums = sum(sign * told[name].amount for name, sign in signs.items())
        cents = int((profit.amount - sums) / _CENT) if self.holds else 0
        step = _CENT if cents > 0 else -_CENT
        for _ in range(abs(cents)):
            name = max(signs, key=lambda n: signs[n] * (amounts[n].amount - told[n].amount) * step)
            told[name] += Money(signs[name] * step, profit.currency)
        return Reconciliation(**told, reference=self.reference.rounded(), profit=profit)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, to the cent: their decimal texts add up exactly."""
        told = self.to_the_cent()
        return {
            "e_model": float(told.e_model),
            "e_cloud": float(told.e_cloud),
            "e": float(told.e_model + told.e_cloud),
            "costs": {
                "hosting, transfer and storage": float(told.hosting),
                "people, training, labels and build": float(told.other_costs),
            },
            "hosting": float(told.hosting),
            "reference": float(told.reference),
            "reference_hosting": float(told.reference),
            "other_costs": float(told.other_costs),
            "profit": float(told.profit),
            "currency": told.profit.currency,
            "holds": self.holds,
        }


def waterfall_of(ledger: Books, currency: str) -> tuple[WaterfallStep, ...]:
    """Mean amounts a month of all entries, and their exact sum as the last step, ``profit``.

    Entries that are 0 are left out, except right and wrong answers.

    Example:
        >>> from payoff.economics.conditions import Conditions
        >>> from payoff.economics.ledger import post
        >>> one, no = np.ones(1), np.zeros(1)
        >>> met = Conditions(one, no, no, no, np.array([[5.0, 7.0]]), one, one)
        >>> books = post(met, PlanCosts(), horizon_months=2)
        >>> [(step.name, str(step.amount)) for step in waterfall_of(books, "EUR")]
        [('right answers', '6.00 EUR'), ('wrong answers', '0.00 EUR'), ('profit', '6.00 EUR')]
    """
    always = (Earning.RIGHT, Earning.WRONG)
    amounts = {entry: ledger.mean(entry) for entry in ENTRIES}
    steps = [
        WaterfallStep(entry.value, Money.of(amount, currency))
        for entry, amount in amounts.items()
        if amount or entry in always
    ]
    total = sum((step.amount for step in steps), start=Money.of(0, currency))
    return (*steps, WaterfallStep("profit", total))


def cash_by_month(ledger: Books, costs: PlanCosts, horizon_months: int) -> tuple[MonthCash, ...]:
    """Cumulative cash: the running entries, and single payments in the month they are made in.

    Example:
        >>> from payoff.economics.conditions import Conditions
        >>> from payoff.economics.ledger import post
        >>> one, no = np.ones(1), np.zeros(1)
        >>> met = Conditions(one, no, no, no, np.array([[5.0, 7.0]]), one, one)
        >>> books = post(met, PlanCosts(), horizon_months=2)
        >>> [cash.mean for cash in cash_by_month(books, PlanCosts(), 2)]
        [5.0, 12.0]
    """
    spread = PlanCosts(
        once=costs.once, months_until_retraining=costs.months_until_retraining
    ).fixed_per_month(horizon_months)
    months = np.arange(1, horizon_months + 1)
    cash = ledger.cash_by_month(horizon_months)
    # What is paid once was spread over the months; here it is paid when it is due.
    paid = sum(spread.values()) * months - costs.paid_once(horizon_months).cumsum()
    return tuple(
        MonthCash(int(month), *(float(amount) for amount in row))
        for month, row in zip(months, cash + paid[:, None], strict=True)
    )


def payback(months: tuple[MonthCash, ...]) -> int | None:
    """First month from which the mean cumulative cash stays at or above 0.

    Example:
        >>> payback((MonthCash(1, -5, 0, 0), MonthCash(2, 1, 0, 0), MonthCash(3, 4, 0, 0)))
        2
    """
    losses = [cash.month for cash in months if cash.mean < 0]
    first = max(losses, default=0) + 1
    return first if first <= len(months) else None


def reconciled(ledger: Books, reference: Hosting | None, *, currency: str) -> Reconciliation:
    """Read the mission's formula both ways from the ledger.

    Args:
        ledger: What the plan earns and pays.
        reference: The hosting to compare with, priced at the same traffic and price factors; None
            compares the chosen one with itself.
        currency: Currency of the amounts.

    Example:
        >>> one, no = np.ones(1), np.zeros(1)
        >>> from payoff.economics.conditions import Conditions
        >>> from payoff.economics.ledger import post
        >>> met = Conditions(one, no, no, no, np.array([[10.0]]), one, one)
        >>> books = post(met, PlanCosts(), horizon_months=1)
        >>> reconciled(books, None, currency="EUR").holds
        True
    """

    def money(amount: float) -> Money:
        return Money.of(amount, currency)

    hosting = -sum(ledger.mean(step) for step in _CLOUD)
    others = -sum(ledger.mean(step) for step in Step if step not in _CLOUD)
    compared = hosting
    if reference is not None:
        compared = ledger.mean_cost(reference)
    return Reconciliation(
        e_model=money(sum(ledger.mean(earning) for earning in Earning)),
        hosting=money(hosting),
        reference=money(compared),
        other_costs=money(others),
        profit=money(float(ledger.monthly.mean())),
    )
