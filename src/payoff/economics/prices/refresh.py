"""Refreshing: prices as their source states them today, to be appended to a file of one's own."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

from payoff.core.errors import EconomicsError
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.price import Price
from payoff.economics.prices.price_file import read_prices

AZURE: Final = "https://prices.azure.com/api/retail/prices"
_TIMEOUT_S: Final = 30.0
_MOST_BYTES: Final = 50_000_000
_ITEMS_A_QUESTION: Final = 15
_HOUR: Final = "1 Hour"


class PriceSource(Protocol):
    """Somebody who states prices."""

    @property
    def name(self) -> str:
        """What people call it."""

    def prices(self, known: PriceBook, on: date) -> list[Price]:
        """What it states on a day of the things that ``known`` has.

        Raises:
            EconomicsError: PF628 where it cannot be reached or says something else.
        """


@dataclass(frozen=True, slots=True)
class PriceFileSource:
    """A price file of payoff's own form, at an address or a path.

    Args:
        address: ``https://…``, ``http://…``, or a path.

    Example:
        >>> PriceFileSource("prices-of-a-friend.csv").name
        'prices-of-a-friend.csv'
    """

    address: str

    @property
    def name(self) -> str:
        """Its address."""
        return self.address

    def prices(self, known: PriceBook, on: date) -> list[Price]:
        """All its facts.

        Raises:
            EconomicsError: PF628 where it cannot be read; PF602 to PF604 where it is malformed.
        """
        if "://" in self.address:
            content = _fetched(self.address)
        else:
            try:
                content = Path(self.address).read_bytes()
            except OSError as error:
                raise _unreachable(self.address, type(error).__name__) from error
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _unreachable(self.address, "it is no text in UTF-8") from error
        return list(PriceBook(tuple(read_prices(text, self.address))))


@dataclass(frozen=True, slots=True)
class AzureRetailPrices:
    """Azure's own list: rent of the virtual machines that the book has, Linux, on demand and spot.

    The form of its answers is that of "Azure Retail Prices REST API overview" on
    learn.microsoft.com, read on 2026-11-29.

    Args:
        address: Where it answers.

    Example:
        >>> AzureRetailPrices().name
        'azure'
    """

    address: str = AZURE
    name: str = "azure"

    def prices(self, known: PriceBook, on: date) -> list[Price]:
        """What a machine of the book costs on ``on``, in the regions and currencies it is in.

        Raises:
            EconomicsError: PF628 where it cannot be reached or says something else.
        """
        found: list[Price] = []
        for (region, currency), sizes in _asked(known).items():
            names = sorted(sizes)
            for start in range(0, len(names), _ITEMS_A_QUESTION):
                question = self._question(
                    region, currency, names[start : start + _ITEMS_A_QUESTION]
                )
                found += [
                    price
                    for row in self._rows(question)
                    if (price := self._price(row, sizes, region, currency, on)) is not None
                ]
        return found

    def _price(
        self, row: dict[str, Any], sizes: dict[str, Price], region: str, currency: str, on: date
    ) -> Price | None:
        try:
            return _azure_price(row, sizes, region=region, currency=currency, on=on)
        except (KeyError, ArithmeticError) as error:
            raise _unreachable(self.name, f"its answer has another form ({error!r})") from error

    def _question(self, region: str, currency: str, names: Sequence[str]) -> str:
        sizes = " or ".join(f"armSkuName eq '{name}'" for name in names)
        asked = {
            "currencyCode": f"'{currency}'",
            "$filter": f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}' "
            f"and priceType eq 'Consumption' and ({sizes})",
        }
        return f"{self.address}?{urllib.parse.urlencode(asked, quote_via=urllib.parse.quote)}"

    def _rows(self, address: str) -> Iterator[dict[str, Any]]:
        """All pages of an answer; a page elsewhere is not read."""
        own = urllib.parse.urlsplit(self.address)[:2]
        while address:
            if urllib.parse.urlsplit(address)[:2] != own:
                raise _unreachable(self.name, f"its next page is elsewhere, at {address}")
            try:
                page = json.loads(_fetched(address), parse_float=Decimal)
                rows, following = page["Items"], page.get("NextPageLink")
                yield from (dict(row) for row in rows)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _unreachable(self.name, f"its answer has another form ({error!r})") from error
            address = str(following or "")


SOURCES: Final[tuple[PriceSource, ...]] = (AzureRetailPrices(),)
"""Who is asked where nobody is named."""


def _asked(known: PriceBook) -> dict[tuple[str, str], dict[str, Price]]:
    """Machines of Azure by region and currency, each with what the book says of it."""
    asked: dict[tuple[str, str], dict[str, Price]] = {}
    for price in known.find(provider="azure", service="virtual-machines", unit="hour"):
        if price.region:
            asked.setdefault((price.region, price.currency), {})[price.item] = price
    return asked


def _azure_price(
    row: dict[str, Any], sizes: dict[str, Price], *, region: str, currency: str, on: date
) -> Price | None:
    """One row as a price; None for other machines, Windows, and what is no rent by the hour.

    Raises:
        KeyError: Where the row lacks a field.
    """
    size = sizes.get(str(row["armSkuName"]))
    meter, product = str(row["meterName"]), str(row["productName"])
    same = (row["armRegionName"], row["currencyCode"]) == (region, currency)
    other = "Windows" in product or "Low Priority" in meter or "Cloud Services" in product
    if size is None or not same or other or row["unitOfMeasure"] != _HOUR:
        return None
    if row["type"] != "Consumption" or not row["retailPrice"]:
        return None
    since = str(row["effectiveStartDate"])[:10]
    return Price(
        provider="azure",
        service=size.service,
        kind=size.kind,
        item=size.item,
        unit="hour",
        currency=currency,
        price=Decimal(str(row["retailPrice"])),
        as_of=on,
        source="prices.azure.com/api/retail/prices",
        region=region,
        vcpu=size.vcpu,
        memory_gib=size.memory_gib,
        gpu=size.gpu,
        gpu_count=size.gpu_count,
        commitment="spot" if "Spot" in meter else "on_demand",
        read_on=on,
        note=f"{product}, in force since {since}",
    )


def _fetched(address: str) -> bytes:
    """What stands at an address.

    Raises:
        EconomicsError: PF628.
    """
    scheme = urllib.parse.urlsplit(address).scheme
    if scheme not in ("http", "https"):
        raise _unreachable(address, f"'{scheme}' is no way to read it")
    asked = urllib.request.Request(address, headers={"User-Agent": "payoff"})
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreachable(address.partition("?")[0], f"it answers {error.code}") from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise _unreachable(address.partition("?")[0], str(reason)[:200]) from error
    if len(content) > _MOST_BYTES:
        raise _unreachable(address, f"it is larger than {_MOST_BYTES // 10**6} MB")
    return content


def _unreachable(where: str, found: str) -> EconomicsError:
    return EconomicsError(
        "PF628",
        where,
        f"its prices cannot be read: {found}",
        mend="Nothing was changed. Try again with a network, or add prices by hand: "
        "payoff prices add.",
    )
