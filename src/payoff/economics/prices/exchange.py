"""Exchange rates that the founder gives, with their day and source.

None is built in: a rate inside the package would go stale without anybody seeing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from payoff.core.errors import EconomicsError, PayoffError, raise_all
from payoff.core.findings import Finding, Status
from payoff.core.money import Money

_MEND = "Give a dated rate in payoff.toml [currency]."


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """What one unit of a currency was worth on a day.

    Args:
        currency: ISO 4217 code of the currency that is valued.
        value: Units of the base currency that one unit is worth; positive.
        as_of: Day of the rate.
        source: Where it was read.

    Raises:
        EconomicsError: PF602 where the value is not a positive, finite number.
    """

    currency: str
    value: Decimal
    as_of: date
    source: str

    def __post_init__(self) -> None:
        Money(Decimal(1), self.currency)
        if not (self.value.is_finite() and self.value > 0):
            raise EconomicsError(
                "PF602",
                f"rate of {self.currency}",
                f"{self.value} is no rate",
                expected="a positive number",
                mend=f"Write what one {self.currency} is worth in your currency.",
            )


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """Dated rates into one base currency; the newest at or before a day holds.

    Args:
        base: Currency in which the rates are told.
        rates: The rates, in any order.

    Raises:
        EconomicsError: PF606 where two rates of one currency and one day differ.

    Example:
        >>> rates = ExchangeRates.of("USD", {"EUR": 1.08}, as_of=date(2026, 11, 2),
        ...                          source="European Central Bank")
        >>> rates.convert(Money.of(50, "EUR"), "USD", date(2026, 11, 22))
        Money(54.00 USD)
    """

    base: str
    rates: tuple[ExchangeRate, ...] = ()

    def __post_init__(self) -> None:
        Money(Decimal(1), self.base)
        object.__setattr__(self, "rates", _merged(self.rates, self.base))

    @classmethod
    def of(
        cls,
        base: str,
        values: Mapping[str, Decimal | float | int | str],
        *,
        as_of: date,
        source: str,
    ) -> ExchangeRates:
        """Rates of one day, as payoff.toml gives them.

        Args:
            base: Currency in which the values are told.
            values: Currency to what one unit of it is worth in ``base``: ``{"EUR": 1.08}`` under
                ``"USD"`` says that one euro is worth 1.08 dollars.
            as_of: Day of the rates.
            source: Where they were read.

        Raises:
            EconomicsError: PF602 where a value is no rate, PF610 where a code is none.
        """
        problems: list[PayoffError] = []
        rates: list[ExchangeRate] = []
        for currency, value in values.items():
            try:
                rates.append(ExchangeRate(currency, _decimal(currency, value), as_of, source))
            except EconomicsError as error:
                problems.append(error)
        raise_all(problems)
        return cls(base, tuple(rates))

    def with_rates(self, rates: Iterable[ExchangeRate]) -> ExchangeRates:
        """These rates and more; a day's rate is never overwritten.

        Raises:
            EconomicsError: PF606 where a rate contradicts one of the same day.
        """
        return ExchangeRates(self.base, (*self.rates, *rates))

    def convert(self, money: Money, to: str, on: date) -> Money:
        """The same worth in another currency, by the rates of a day, not rounded.

        Args:
            money: The amount.
            to: Currency wanted.
            on: Day whose rates hold; a rate of a later day is not used.

        Raises:
            EconomicsError: PF605 where a rate is missing on that day, PF610 where ``to`` is no
                currency code.
        """
        if money.currency == to:
            return money
        Money(Decimal(1), to)
        in_base = money.amount * self._value(money.currency, on)
        return Money(in_base / self._value(to, on), to)

    def _value(self, currency: str, on: date) -> Decimal:
        if currency == self.base:
            return Decimal(1)
        dated = [rate for rate in self.rates if rate.currency == currency]
        held = [rate for rate in dated if rate.as_of <= on]
        if held:
            return held[-1].value
        found = f"no rate from {currency} to {self.base} is given"
        if dated:
            found = f"{found} for {on}; the first is of {dated[0].as_of}"
        raise EconomicsError("PF605", "exchange rates", found, mend=_MEND)

    def check(self, today: date, max_age_days: int = 90) -> list[Finding]:
        """Look for rates that are old.

        Args:
            today: The day of the check.
            max_age_days: Age in days from which a rate counts as stale.
        """
        title = f"No exchange rate in force is older than {max_age_days} days"
        newest = {rate.currency: rate for rate in self.rates if rate.as_of <= today}
        stale = [rate for rate in newest.values() if (today - rate.as_of).days > max_age_days]
        if not newest:
            return [Finding("PF608", title, Status.NOT_APPLICABLE, "No rate is given.")]
        if not stale:
            return [Finding("PF608", title, Status.PASSED, f"{len(newest)} rates.")]
        told = ", ".join(f"{rate.currency} of {rate.as_of}" for rate in stale)
        return [Finding("PF608", title, Status.FAILED, f"{told}.", _MEND, n_affected=len(stale))]


def _decimal(currency: str, value: Decimal | float | int | str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise EconomicsError(
            "PF602", f"rate of {currency}", f"'{value}' is no number", expected="a positive number"
        ) from error


def _merged(rates: Iterable[ExchangeRate], base: str) -> tuple[ExchangeRate, ...]:
    """Rates in order of currency and day, each once."""
    facts: dict[tuple[str, date], ExchangeRate] = {}
    problems: list[PayoffError] = []
    for rate in rates:
        known = facts.setdefault((rate.currency, rate.as_of), rate)
        if known.value != rate.value:
            problems.append(
                EconomicsError(
                    "PF606",
                    f"rate of {rate.currency}",
                    f"{known.value} and {rate.value} are both given for {rate.as_of}",
                    mend="Give the new rate its own day.",
                )
            )
        if rate.currency == base and rate.value != 1:
            problems.append(
                EconomicsError(
                    "PF602",
                    f"rate of {rate.currency}",
                    f"the base currency is worth {rate.value} of itself",
                    expected="1, or no entry",
                )
            )
    raise_all(problems)
    return tuple(facts[fact] for fact in sorted(facts))
