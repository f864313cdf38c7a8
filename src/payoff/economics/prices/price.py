"""One dated price fact, as a row of a price file states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from payoff.core.errors import EconomicsError, PayoffError, Problems, did_you_mean, raise_all
from payoff.core.money import Money

HOURS_PER_MONTH: Final = 730
"""Hours of the month in which every price and forecast is told."""

KINDS: Final = (
    "instance",
    "gpu_instance",
    "serverless_request",
    "serverless_gb_second",
    "serverless_vcpu_second",
    "object_storage_gb_month",
    "egress_gb",
)
"""What a price is for."""

COMMITMENTS: Final = ("on_demand", "reserved", "spot")
"""How firmly it is bought: by the hour, for a term, or while nobody bids more."""

UNITS: Final = (
    "hour",
    "gpu_hour",
    "month",
    "request",
    "gb_second",
    "vcpu_second",
    "gb_month",
    "gb",
    "gib_month",
    "gib",
)
"""What one price buys. Another unit is kept, and reported by `PriceBook.check`.

A ``gb`` is 10⁹ bytes and a ``gib`` 2³⁰; a ``gb_second`` is of 1,024 MiB, as functions are billed.
"""

RENTS: Final = ("hour", "gpu_hour", "month")
"""Units in which machines are rented."""

_UNITS_OF: Final = {
    "instance": RENTS,
    "gpu_instance": RENTS,
    "serverless_request": ("request",),
    "serverless_gb_second": ("gb_second",),
    "serverless_vcpu_second": ("vcpu_second",),
    "object_storage_gb_month": ("gb_month", "gib_month"),
    "egress_gb": ("gb", "gib"),
}
"""Units of each kind that can be reckoned with; a price in another one is kept and not used."""

_GB_IN_A_GIB: Final = Decimal(2**30) / Decimal(10**9)

DATE_UNKNOWN: Final = "date of source unknown"
"""Mark in ``note``: the source shows no date, so that ``as_of`` is the day it was read."""

PriceKey = tuple[str, str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price with its date, its source and its currency.

    Args:
        provider: Who sells it, in lower case (``"aws"``, ``"hetzner"``).
        service: The provider's service (``"ec2"``, ``"lambda"``).
        kind: One of `KINDS`.
        item: What is sold, as the provider names it (``"c7i.large"``).
        unit: What one price buys, one of `UNITS`.
        currency: ISO 4217 code of the price.
        price: Amount of one unit, before tax; zero where it is free.
        as_of: Day on which the price held.
        source: Where it was read: a repository with its path, or the address of a page.
        region: The provider's region; empty where the price holds everywhere.
        vcpu: Virtual processors of an instance.
        memory_gib: Memory of an instance in GiB.
        gpu: Name of the accelerator; empty where there is none.
        gpu_count: Number of accelerators.
        commitment: One of `COMMITMENTS`.
        read_on: Day on which the source was read.
        note: Free tiers, tier limits and doubts.

    Raises:
        EconomicsError: PF602 where a field is missing or of no known value, PF604 where the
            price or a size is negative or not finite.

    Example:
        >>> rent = Price(provider="hetzner", service="cloud", kind="instance", item="cx33",
        ...              unit="month", currency="EUR", price=Decimal("7.30"),
        ...              as_of=date(2026, 9, 24), source="my invoice")
        >>> rent.per_hour
        Money(0.01 EUR)
    """

    provider: str
    service: str
    kind: str
    item: str
    unit: str
    currency: str
    price: Decimal
    as_of: date
    source: str
    region: str = ""
    vcpu: Decimal | None = None
    memory_gib: Decimal | None = None
    gpu: str = ""
    gpu_count: int = 0
    commitment: str = "on_demand"
    read_on: date | None = None
    note: str = ""

    def __post_init__(self) -> None:
        raise_all(_problems(self))

    @property
    def key(self) -> PriceKey:
        """What is priced: two prices of one key are one price's history."""
        return (
            self.provider,
            self.service,
            self.kind,
            self.item,
            self.region,
            self.unit,
            self.currency,
            self.commitment,
        )

    @property
    def label(self) -> str:
        """The key as people read it: ``"aws ec2 c7i.large eu-central-1 (USD/hour)"``."""
        words = [self.provider, self.service, self.item, self.region]
        if self.commitment != "on_demand":
            words.append(self.commitment)
        return " ".join(word for word in words if word) + f" ({self.currency}/{self.unit})"

    @property
    def money(self) -> Money:
        """The price of one unit."""
        return Money(self.price, self.currency)

    @property
    def per_hour(self) -> Money:
        """Rent of the whole machine for an hour; a month has `HOURS_PER_MONTH` hours.

        Raises:
            EconomicsError: PF602 where the unit is no time of rent.
        """
        if self.unit == "hour":
            return self.money
        if self.unit == "gpu_hour":
            return self.money * self.gpu_count
        if self.unit == "month":
            return Money(self.price / HOURS_PER_MONTH, self.currency)
        raise EconomicsError(
            "PF602",
            self.label,
            f"a price per {self.unit} is no rent",
            expected="a price per hour, gpu_hour or month",
        )

    @property
    def per_gb(self) -> Money:
        """Price of 10⁹ bytes moved, or kept for a month.

        Raises:
            EconomicsError: PF602 where the unit is no amount of bytes.

        Example:
            >>> sold = Price(provider="gcp", service="network", kind="egress_gb", item="internet",
            ...              unit="gib", currency="USD", price=Decimal("0.12"),
            ...              as_of=date(2025, 3, 6), source="an example")
            >>> sold.per_gb.rounded(4)
            Money(0.1118 USD)
        """
        if self.unit in ("gb", "gb_month"):
            return self.money
        if self.unit in ("gib", "gib_month"):
            return Money(self.price / _GB_IN_A_GIB, self.currency)
        raise EconomicsError(
            "PF602",
            self.label,
            f"a price per {self.unit} is none of bytes",
            expected="a price per gb, gib, gb_month or gib_month",
        )

    @property
    def unit_fits(self) -> bool:
        """Whether its unit is one of its kind, so that it can be reckoned with."""
        return self.unit in _UNITS_OF[self.kind]

    def check_unit(self) -> None:
        """Refuse to reckon with a price whose unit is none of its kind.

        Raises:
            EconomicsError: PF602.
        """
        units = _UNITS_OF[self.kind]
        if self.unit_fits:
            return
        what = "no rent" if units is RENTS else f"none of {units[0]}"
        raise EconomicsError(
            "PF602",
            self.label,
            f"a price per {self.unit} is {what}",
            expected=f"a price per {' or '.join(units)}",
        )

    @property
    def date_known(self) -> bool:
        """Whether the source shows a date, rather than only the day of reading."""
        return DATE_UNKNOWN not in self.note

    def as_dict(self) -> dict[str, str]:
        """The row as text, in the order of the columns; an absent value is empty."""
        return {name: _text(getattr(self, name)) for name in COLUMNS}

    @classmethod
    def from_row(cls, row: Mapping[str, str], where: str) -> Price:
        """Read a row of a price file.

        Args:
            row: Column name to text; absent optional columns are taken as empty.
            where: File and line for the message.

        Raises:
            EconomicsError: PF602 where a cell cannot be read, PF603 where ``as_of`` is empty,
                PF604 where a number is negative; `Problems` where several are.

        Example:
            >>> Price.from_row({"price": "0.1", "as_of": ""}, "prices.csv line 2")
            Traceback (most recent call last):
            ...
            payoff.core.errors.EconomicsError: PF603 prices.csv line 2: as_of is empty \
(expected a day such as 2026-11-22). Write the day on which it held: a price without one cannot \
be reproduced.
        """
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        problems: list[PayoffError] = []
        values: dict[str, Any] = dict(cells)
        for name, read in _READERS.items():
            try:
                values[name] = read(name, cells[name])
            except EconomicsError as error:
                problems.append(_at(where, error))
        values["commitment"] = cells["commitment"] or "on_demand"
        raise_all(problems)
        try:
            return cls(**values)
        except Problems as several:
            raise Problems(_at(where, error) for error in several.problems) from several
        except EconomicsError as error:
            raise _at(where, error) from error


COLUMNS: Final = (
    *("provider", "service", "kind", "item", "region", "unit", "currency", "price"),
    *("vcpu", "memory_gib", "gpu", "gpu_count", "commitment", "as_of", "read_on"),
    *("source", "note"),
)
"""Columns of a price file, in order."""

REQUIRED_COLUMNS: Final = (
    *("provider", "service", "kind", "item", "unit", "currency", "price", "as_of"),
)
"""Columns that a user's price file may not lack."""


def _problems(price: Price) -> list[PayoffError]:
    """All that is wrong with a price's fields."""
    found: list[PayoffError] = [
        EconomicsError("PF602", price.label, f"{name} is empty")
        for name in ("provider", "service", "item", "unit")
        if not getattr(price, name)
    ]
    for name, known in (("kind", KINDS), ("commitment", COMMITMENTS)):
        value = getattr(price, name)
        if value not in known:
            found.append(_unknown(price.label, name, value, known=known))
    code = price.currency
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        found.append(
            EconomicsError(
                "PF602",
                price.label,
                f"currency '{code}' is no code",
                expected="three capital letters such as USD, EUR, CNY",
            )
        )
    for name in ("price", "vcpu", "memory_gib", "gpu_count"):
        number = getattr(price, name)
        if number is not None and not (Decimal(number).is_finite() and number >= 0):
            found.append(
                EconomicsError(
                    "PF604",
                    price.label,
                    f"{name} is {number}",
                    expected="a number from 0 upwards",
                    mend="Write it without the minus sign; what is free costs 0.",
                )
            )
    return found


def _unknown(where: str, name: str, value: str, *, known: tuple[str, ...]) -> EconomicsError:
    return EconomicsError(
        "PF602",
        where,
        f"{name} '{value}' is unknown",
        expected="one of " + ", ".join(known),
        mend=did_you_mean(value, known),
    )


def _at(where: str, error: PayoffError) -> EconomicsError:
    """The same error, told at another place."""
    return EconomicsError(error.code, where, error.found, expected=error.expected, mend=error.mend)


def _read_number(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise EconomicsError(
            "PF602", name, f"{name} '{text}' is no number", expected="digits such as 0.0416"
        ) from error


def _read_optional_number(name: str, text: str) -> Decimal | None:
    return _read_number(name, text) if text else None


def _read_count(name: str, text: str) -> int:
    number = _read_optional_number(name, text) or Decimal(0)
    if not number.is_finite() or number != number.to_integral_value():
        raise EconomicsError("PF602", name, f"{name} '{text}' is no whole number")
    return int(number)


def _read_day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise EconomicsError(
            "PF602", name, f"{name} '{text}' is no day", expected="a day such as 2026-11-22"
        ) from error


def _read_as_of(name: str, text: str) -> date:
    if not text:
        raise EconomicsError(
            "PF603",
            name,
            f"{name} is empty",
            expected="a day such as 2026-11-22",
            mend="Write the day on which it held: a price without one cannot be reproduced.",
        )
    return _read_day(name, text)


def _read_optional_day(name: str, text: str) -> date | None:
    return _read_day(name, text) if text else None


_READERS: Final = {
    "price": _read_number,
    "vcpu": _read_optional_number,
    "memory_gib": _read_optional_number,
    "gpu_count": _read_count,
    "as_of": _read_as_of,
    "read_on": _read_optional_day,
}


def _text(value: object) -> str:
    if value is None or (value == 0 and isinstance(value, int)):
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


assert set(COLUMNS) == {field.name for field in fields(Price)}
