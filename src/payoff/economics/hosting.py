"""Hosting: where a model runs, and what a month of it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.charge import Charge, Fixed, PerRequest, Quantity
from payoff.economics.costs import CostLine, Step
from payoff.economics.instance import rented, scaled
from payoff.economics.offer import Offer, Tariff
from payoff.economics.platform import platforms
from payoff.economics.priced_book import PricedBook
from payoff.economics.requirement import Requirement
from payoff.economics.serverless import serverless
from payoff.economics.traffic import Traffic

if TYPE_CHECKING:
    from payoff.economics.prices.book import PriceBook
    from payoff.economics.prices.exchange import ExchangeRates

_GB = 1e9
_Part = tuple[Step, str, Quantity, str, str, bool]
_Beside = tuple[list[Charge], list[str], str]


@dataclass(frozen=True, eq=False)
class Hosting:
    """One way to run a model: its charges, and whether it holds the limits.

    `cost_per_month` and `lines` are computed from the same charges, so that they agree.

    Args:
        name: What people call it.
        provider: Who sells it.
        item: What is sold.
        region: Where it runs.
        currency: Currency of all its charges.
        charges: What it costs; empty where it could not be priced.
        why_not: The limit that it breaks; empty where it breaks none.
        notes: What could not be priced or checked.

    Example:
        >>> from payoff.core.money import Money
        >>> each = Charge(Step.API, "calls", PerRequest(1.0), "request", Money.of("0.002", "USD"),
        ...               as_of=None, source="stated", measured=True)
        >>> api = Hosting("an API", "stated", "calls", "", currency="USD", charges=(each,))
        >>> api.cost_per_month(np.array([1000.0]))
        array([2.])
    """

    name: str
    provider: str
    item: str
    region: str
    currency: str
    charges: tuple[Charge, ...]
    why_not: str = ""
    notes: tuple[str, ...] = ()

    @property
    def meets_limits(self) -> bool:
        """Whether it can be used."""
        return not self.why_not

    @property
    def priced(self) -> bool:
        """Whether its cost is known."""
        return bool(self.charges)

    def use(self, requests: NDArray[np.float64]) -> Usage:
        """What months with so many requests use of it, any shape."""
        return Usage(self, tuple(charge.quantity(requests) for charge in self.charges))

    def cost_by_step(self, requests: NDArray[np.float64]) -> dict[Step, NDArray[np.float64]]:
        """Cost of months with so many requests, any shape, by step.

        Raises:
            EconomicsError: PF617 where it could not be priced.
        """
        return self.use(requests).cost_by_step

    def cost_per_month(self, requests: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost of months with so many requests, any shape, the same shape back.

        Raises:
            EconomicsError: PF617 where it could not be priced.
        """
        total = np.zeros(np.shape(requests))
        for cost in self.cost_by_step(requests).values():
            total = total + cost
        return total

    def cost_at(self, requests: float) -> float:
        """Cost of one month with so many requests; not in arrays, which is quicker for one.

        Raises:
            EconomicsError: PF617 where it could not be priced.
        """
        self.check_priced()
        return sum(
            float(charge.unit_price) * charge.quantity.at(requests) for charge in self.charges
        )

    def check_priced(self) -> None:
        """Refuse to tell a cost that is not known.

        Raises:
            EconomicsError: PF617 where it could not be priced.
        """
        if not self.priced:
            raise EconomicsError("PF617", self.name, f"it has no price: {self.why_not}")

    def lines(self, requests: float | NDArray[np.float64]) -> tuple[CostLine, ...]:
        """The bill of a month with so many requests; of the mean month for several."""
        return tuple(charge.line(requests) for charge in self.charges)

    def steps(self, up_to: float) -> NDArray[np.float64]:
        """Requests a month, rising and below ``up_to``, above which the cost jumps."""
        jumps = [charge.quantity.steps(up_to) for charge in self.charges]
        return np.unique(np.concatenate(jumps)) if jumps else np.empty(0)

    def with_charges(self, more: Sequence[Charge]) -> Hosting:
        """The same with more to pay."""
        return replace(self, charges=(*self.charges, *more))

    def as_dict(self) -> dict[str, Any]:
        """What it is, without its charges."""
        return {
            "name": self.name,
            "provider": self.provider,
            "item": self.item,
            "region": self.region,
            "currency": self.currency,
            "meets_limits": self.meets_limits,
            "why_not": self.why_not,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Usage:
    """What some months use of a hosting: reckoned once, for their cost and for their bill.

    Args:
        hosting: The hosting.
        units: Units of each of its charges, in the shape of the requests.

    Example:
        >>> from payoff.core.money import Money
        >>> each = Charge(Step.API, "calls", PerRequest(1.0), "request", Money.of("0.002", "USD"),
        ...               as_of=None, source="stated", measured=True)
        >>> api = Hosting("an API", "stated", "calls", "", currency="USD", charges=(each,))
        >>> used = api.use(np.array([1000.0, 2000.0]))
        >>> used.cost_by_step[Step.API], [line.quantity for line in used.lines]
        (array([2., 4.]), [1500.0])
    """

    hosting: Hosting
    units: tuple[NDArray[np.float64], ...]

    @cached_property
    def cost_by_step(self) -> dict[Step, NDArray[np.float64]]:
        """Cost by step, each in the shape of the requests.

        Raises:
            EconomicsError: PF617 where it could not be priced.
        """
        hosting = self.hosting
        hosting.check_priced()
        costs: dict[Step, NDArray[np.float64]] = {}
        for charge, units in zip(hosting.charges, self.units, strict=True):
            cost = float(charge.unit_price) * units
            costs[charge.step] = costs[charge.step] + cost if charge.step in costs else cost
        return costs

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """The bill of the mean month."""
        pairs = zip(self.hosting.charges, self.units, strict=True)
        return tuple(charge.line_of(float(units.mean())) for charge, units in pairs)


def hosting_options(
    book: PriceBook,
    requirement: Requirement,
    traffic: Traffic,
    *,
    currency: str,
    rates: ExchangeRates | None = None,
    providers: Sequence[str] | None = None,
    on: date,
) -> list[Hosting]:
    """Every rented instance and every serverless service that the price book knows.

    Options that break a limit, or cannot be priced for want of an exchange rate, are listed with
    the reason in `Hosting.why_not`, rather than left out.

    Args:
        book: Dated prices.
        requirement: What was measured of the model.
        traffic: Expected traffic; serverless latency is checked at its likely number.
        currency: Currency of the plan.
        rates: Dated exchange rates; None where all prices are in the plan's currency.
        providers: Providers to consider; None is all.
        on: Day whose prices hold.

    Returns:
        Options in the order of the book: instances first, then serverless.

    Example:
        >>> from payoff.economics.prices import PriceBook
        >>> need = Requirement(200.0, 5.0, 2e8, 9e7, 0.5, 4.0)
        >>> options = hosting_options(PriceBook.builtin(), need, Traffic(40_000), currency="USD",
        ...                           providers=["aws"], on=date(2026, 11, 22))
        >>> {option.provider for option in options if option.meets_limits}
        {'aws'}
    """
    priced = PricedBook(book, currency, rates=rates, providers=providers, on=on)
    return options_in(priced, requirement, traffic)


def options_in(priced: PricedBook, requirement: Requirement, traffic: Traffic) -> list[Hosting]:
    """The same where the prices are looked up already, for several models.

    Example:
        >>> from payoff.economics.prices import PriceBook
        >>> need = Requirement(200.0, 5.0, 2e8, 9e7, 0.5, 4.0)
        >>> priced = PricedBook(PriceBook.builtin(), "USD", on=date(2026, 11, 22))
        >>> len(options_in(priced, need, Traffic(40_000))) > 20
        True
    """
    options: list[tuple[str, Offer]] = []
    for provider, tariff in priced.instances:
        offer = tariff if isinstance(tariff, Offer) else rented(tariff, requirement)
        options.append((provider, offer))
        by_hour = scaled(offer, requirement)
        if by_hour is not None:
            options.append((provider, by_hour))
    for provider, own in priced.functions:
        if isinstance(own, Offer):
            options.append((provider, own))
            continue
        platform = platforms()[provider, own.gb_second.price.service]
        offer = serverless(platform, own, requirement, requests_per_month=traffic.per_month)
        options.append((provider, offer))
    shared = _Shared(priced, requirement)
    return [shared.hosting(provider, offer) for provider, offer in options]


def cheapest(options: Iterable[Hosting], requests: float | NDArray[np.float64]) -> Hosting:
    """The option of the lowest mean cost among those that hold all limits.

    Args:
        options: What `hosting_options` listed.
        requests: Requests a month; the mean cost counts where there are several.

    Raises:
        EconomicsError: PF616 where none holds all limits, with the reasons.

    Example:
        >>> from payoff.core.money import Money
        >>> rent, each = (
        ...     Charge(Step.INFERENCE, "x", quantity, "unit", Money.of(price, "USD"), as_of=None,
        ...            source="stated", measured=True)
        ...     for quantity, price in ((Fixed(1.0), 50), (PerRequest(1.0), "0.01"))
        ... )
        >>> offers = [Hosting(name, "p", "i", "", currency="USD", charges=(charge,))
        ...           for name, charge in (("rented", rent), ("by request", each))]
        >>> cheapest(offers, 1000.0).name, cheapest(offers, 9000.0).name
        ('by request', 'rented')
    """
    listed = list(options)
    usable = [option for option in listed if option.meets_limits and option.priced]
    if not usable:
        reasons = "; ".join(f"{option.name}: {option.why_not}" for option in listed[:4])
        raise EconomicsError(
            "PF616",
            "hosting",
            f"no option holds all limits ({reasons or 'none was offered'})",
            mend="Loosen the latency limit, name more providers, or give exchange rates.",
        )
    if np.ndim(requests) == 0:
        return min(usable, key=lambda option: option.cost_at(float(requests)))
    months = np.asarray(requests, dtype=np.float64)
    return min(usable, key=lambda option: float(option.cost_per_month(months).mean()))


@dataclass(frozen=True, slots=True)
class _Shared:
    """Adds to an offer what its provider charges for traffic and storage, once a region."""

    priced: PricedBook
    need: Requirement
    known: dict[tuple[str, str], _Beside] = field(default_factory=dict)

    def hosting(self, provider: str, offer: Offer) -> Hosting:
        notes = list(offer.notes)
        charges: list[Charge] = list(offer.charges)
        why_not = offer.why_not
        if offer.charges:
            place = provider, offer.region
            if place not in self.known:
                self.known[place] = self._beside(*place)
            more, noted, refused = self.known[place]
            charges = [] if refused else [*charges, *more]
            notes, why_not = [*notes, *noted], refused or why_not
        return Hosting(
            offer.name,
            offer.provider,
            offer.item,
            offer.region,
            currency=self.priced.currency,
            charges=tuple(charges),
            why_not=why_not,
            notes=tuple(notes),
        )

    def _beside(self, provider: str, region: str) -> _Beside:
        """Charges and notes of a region, and why it cannot be priced."""
        charges: list[Charge] = []
        notes: list[str] = []
        for kind, what in (("egress_gb", "traffic"), ("object_storage_gb_month", "storage")):
            try:
                tariff = self.priced.beside(kind, provider, region)
            except EconomicsError as error:  # in a currency without a rate
                return [], notes, f"{what} cannot be priced: {error.found}"
            if tariff is None:
                notes.append(f"{what} is not priced: the price book has none of {provider}")
            else:
                charges += self._charges(kind, tariff, region)
        return charges, notes, ""

    def _charges(self, kind: str, tariff: Tariff, region: str) -> list[Charge]:
        price = tariff.price
        need, per_request = self.need, self.need.bytes_in + self.need.bytes_out
        elsewhere = "" if price.region in ("", region) else f"price of {price.region}"
        sizes = "" if need.sizes_measured else "sizes assumed"
        if kind == "egress_gb":
            note = tariff.with_note("bytes in counted like bytes out", sizes, elsewhere)
            each = PerRequest(per_request / _GB)
            parts: list[_Part] = [
                (Step.TRANSFER, "bytes in and out", each, "GB", note, need.sizes_measured)
            ]
        else:
            kept = PerRequest(per_request * need.retention_months / _GB)
            note = tariff.with_note(f"kept {need.retention_months:g} months", sizes, elsewhere)
            artifact, plain = Fixed(need.package_bytes / _GB), tariff.with_note(elsewhere)
            parts = [
                (Step.STORAGE, "artifact stored", artifact, "GB-month", plain, True),
                (Step.STORAGE, "journal stored", kept, "GB-month", note, need.sizes_measured),
            ]
            if need.data_bytes:
                data = Fixed(need.data_bytes / _GB)
                parts.append((Step.STORAGE, "labelled data stored", data, "GB-month", plain, True))
        return [
            Charge(
                step,
                what,
                quantity,
                unit,
                tariff.unit_price,
                as_of=price.as_of,
                source=price.source,
                measured=measured,
                note=noted,
            )
            for step, what, quantity, unit, noted, measured in parts
        ]
