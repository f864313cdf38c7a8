"""Offer: one way to compute the answers, with its charges or the limit it breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from payoff.core.money import Money
from payoff.economics.charge import Charge

if TYPE_CHECKING:
    from payoff.economics.prices.exchange import ExchangeRates
    from payoff.economics.prices.price import Price


@dataclass(frozen=True, slots=True)
class Offer:
    """Compute that can be bought: its charges, or why it cannot be used.

    Args:
        name: What people call it.
        provider: Who sells it.
        item: What is sold.
        region: Where it runs.
        charges: What it costs; empty where it is refused before it could be priced.
        why_not: The limit that it breaks; empty where it breaks none.
        notes: What was left out of the price or could not be checked.
    """

    name: str
    provider: str
    item: str
    region: str
    charges: tuple[Charge, ...]
    why_not: str = ""
    notes: tuple[str, ...] = ()

    def because(self, why_not: str) -> Offer:
        """The same, refused for this reason.

        Example:
            >>> Offer("x", "aws", "x", "", ()).because("too slow").why_not
            'too slow'
        """
        return replace(self, why_not=why_not)


def exchange(money: Money, to: str, *, rates: ExchangeRates | None, on: date) -> Money:
    """The same worth in another currency; the amount itself where it is the same one.

    Raises:
        EconomicsError: PF605 where the currencies differ and no dated rate is given.

    Example:
        >>> exchange(Money.of(2, "EUR"), "EUR", rates=None, on=date(2026, 11, 22))
        Money(2 EUR)
    """
    if rates is None:
        _ = money + Money.of(0, to)
        return money
    return money if money.currency == to else rates.convert(money, to, on)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price of the book, exchanged into the plan's currency.

    Args:
        price: The fact.
        unit_price: Its price in the plan's currency.
        note: How it was exchanged; empty where it was not.

    Example:
        >>> from payoff.economics.prices import ExchangeRates, PriceBook
        >>> price = PriceBook.builtin().get(kind="instance", provider="hetzner", item="cx33")
        >>> day = date(2026, 11, 22)
        >>> rates = ExchangeRates.of("USD", {"EUR": 2}, as_of=day, source="an example")
        >>> Tariff.of(price, "USD", rates=rates, on=day).unit_price.amount == 2 * price.price
        True
    """

    price: Price
    unit_price: Money
    note: str = ""

    @classmethod
    def of(cls, price: Price, currency: str, *, rates: ExchangeRates | None, on: date) -> Tariff:
        """Exchange a price by the founder's dated rates.

        A price per accelerator and hour becomes the price of the whole machine, one per GiB the
        price per GB.

        Raises:
            EconomicsError: PF605 where the currencies differ and no rate is given; PF602 where the
                unit is none of its kind.
        """
        price.check_unit()
        own = price.per_hour if price.unit == "gpu_hour" else price.money
        sold = ""
        if price.unit in ("gib", "gib_month"):
            own, sold = price.per_gb, f"sold at {price.price} {price.currency} per GiB"
        exchanged = exchange(own, currency, rates=rates, on=on)
        if exchanged is own:
            return cls(price, own, sold)
        paid = f"exchanged from {own.amount} {own.currency} on {on}"
        return cls(price, exchanged, "; ".join(note for note in (sold, paid) if note))

    @property
    def name(self) -> str:
        """Provider, item and region in words."""
        words = (self.price.provider, self.price.service, self.price.item, self.price.region)
        return " ".join(word for word in words if word)

    def with_note(self, *notes: str) -> str:
        """The exchange's note and others as one text."""
        return "; ".join(note for note in (*notes, self.note) if note)

    def refused(self, why_not: str) -> Offer:
        """An offer of this price that cannot be used."""
        price = self.price
        return Offer(self.name, price.provider, price.item, price.region, (), why_not)
