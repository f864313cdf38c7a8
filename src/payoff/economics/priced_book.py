"""Priced book: the prices of a book on one day in one currency, looked up once for all models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from payoff.core.errors import EconomicsError
from payoff.economics.offer import Offer, Tariff
from payoff.economics.platform import platforms
from payoff.economics.serverless import Rates

if TYPE_CHECKING:
    from payoff.economics.prices.book import PriceBook
    from payoff.economics.prices.exchange import ExchangeRates
    from payoff.economics.prices.price import Price


@dataclass(frozen=True, eq=False)
class PricedBook:
    """What can be rented, and at which price; nothing of it depends on the model.

    Args:
        book: Dated prices.
        currency: Currency of the plan.
        on: Day whose prices hold.
        rates: Dated exchange rates; None where all prices are in the plan's currency.
        providers: Providers to consider; None is all.

    Example:
        >>> from payoff.economics.prices import PriceBook
        >>> priced = PricedBook(PriceBook.builtin(), "USD", on=date(2026, 11, 22),
        ...                     providers=["aws"])
        >>> {name for name, _ in (*priced.instances, *priced.functions)}
        {'aws'}
    """

    book: PriceBook
    currency: str
    on: date = field(kw_only=True)
    rates: ExchangeRates | None = field(default=None, kw_only=True)
    providers: Sequence[str] | None = field(default=None, kw_only=True)
    _beside: dict[tuple[str, str, str], Tariff | EconomicsError | None] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def instances(self) -> tuple[tuple[str, Tariff | Offer], ...]:
        """Each provider's rented machines, or why one cannot be priced."""
        found: list[tuple[str, Tariff | Offer]] = []
        for provider in self._known:
            for price in self.book.find(kind="instance", provider=provider, on=self.on):
                try:
                    found.append((provider, self._tariff(price)))
                except EconomicsError as error:
                    found.append((provider, Tariff(price, price.money).refused(error.found)))
        return tuple(found)

    @cached_property
    def functions(self) -> tuple[tuple[str, Rates | Offer], ...]:
        """Each provider's serverless services, or why one cannot be used."""
        return tuple((name, own) for name in self._known for own in self._rates_of(name))

    def beside(self, kind: str, provider: str, region: str) -> Tariff | None:
        """The provider's dearest price of a kind: in the region and the currency, if it has one.

        Raises:
            EconomicsError: PF605 where it is in another currency and no rate is given.
        """
        key = (kind, provider, region)
        if key not in self._beside:
            prices = self.book.find(kind=kind, provider=provider, on=self.on)
            prices = [price for price in prices if price.unit_fits] or prices
            here = [price for price in prices if price.region == region] or prices
            here = [price for price in here if price.currency == self.currency] or here
            dearest = max(here, key=lambda price: price.price, default=None)
            try:
                self._beside[key] = None if dearest is None else self._tariff(dearest)
            except EconomicsError as error:
                self._beside[key] = error
        found = self._beside[key]
        if isinstance(found, EconomicsError):
            raise found
        return found

    @property
    def _known(self) -> list[str]:
        """Providers that have a price and may be used."""
        return [n for n in self.book.providers if self.providers is None or n in self.providers]

    def _tariff(self, price: Price) -> Tariff:
        return Tariff.of(price, self.currency, rates=self.rates, on=self.on)

    def _rates_of(self, provider: str) -> list[Rates | Offer]:
        """The provider's serverless services with all their prices, or why one cannot be used."""
        found: list[Rates | Offer] = []
        for memory in self.book.find(kind="serverless_gb_second", provider=provider, on=self.on):
            matching = {"provider": provider, "service": memory.service, "region": memory.region}
            request = self.book.find(kind="serverless_request", on=self.on, **matching)
            vcpu = self.book.find(kind="serverless_vcpu_second", on=self.on, **matching)
            refused = Tariff(memory, memory.money).refused
            if (provider, memory.service) not in platforms():
                found.append(refused("how it rounds memory and time is not known"))
                continue
            if not request:
                found.append(refused("the price book has no price of a request"))
                continue
            prices = [request[0], memory, *vcpu[:1]]
            try:
                found.append(Rates(*(self._tariff(price) for price in prices)))
            except EconomicsError as error:
                found.append(refused(error.found))
        return found
