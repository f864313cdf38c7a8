"""Money: a decimal amount in one currency.

Floats are used inside the numerics; `Money` stands at the edges, where people read and add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import total_ordering

from payoff.core.errors import EconomicsError


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency.

    Args:
        amount: Exact amount in the currency's main unit (not cents).
        currency: ISO 4217 code in capitals.

    Raises:
        EconomicsError: PF610 where the currency is no three-letter code or the amount not finite.

    Example:
        >>> Money.of(3.2, "USD") + Money.of("0.05", "USD")
        Money(3.25 USD)
        >>> Money.of(1234567.891, "EUR").rounded()
        Money(1234567.89 EUR)
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not (len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper()):
            raise EconomicsError(
                "PF610",
                "currency",
                f"'{self.currency}' is no currency code",
                expected="three capital letters such as USD, EUR, CNY",
            )
        if not self.amount.is_finite():
            raise EconomicsError("PF610", "amount", f"{self.amount} is not a finite amount")

    @classmethod
    def of(cls, amount: Decimal | float | int | str, currency: str) -> Money:
        """Make money from a number; a float is taken at its shortest decimal form."""
        return cls(Decimal(str(amount)), currency)

    def _same(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise EconomicsError(
                "PF605",
                "money",
                f"{self.currency} and {other.currency} cannot be combined without a rate",
                mend="Give a dated rate in payoff.toml [currency].",
            )
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: Decimal | float | int) -> Money:
        return Money(self.amount * Decimal(str(factor)), self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __float__(self) -> float:
        return float(self.amount)

    def __repr__(self) -> str:
        return f"Money({self.amount} {self.currency})"

    def __str__(self) -> str:
        return format_money(float(self.amount), self.currency)

    def rounded(self, places: int = 2) -> Money:
        """Round half to even at ``places`` decimals: the one rounding, done at the edge."""
        step = Decimal(1).scaleb(-places)
        with localcontext() as context:
            context.prec = max(context.prec, self.amount.adjusted() + places + 2)
            amount = self.amount.quantize(step, rounding=ROUND_HALF_EVEN)
        return Money(amount, self.currency)


def format_money(amount: float, currency: str) -> str:
    """Amount as people read it: cents where they matter, whole units where they do not.

    Example:
        >>> format_money(12345.678, "USD"), format_money(-0.0421, "EUR"), format_money(3.2, "CNY")
        ('12,346 USD', '-0.0421 EUR', '3.20 CNY')
    """
    size = abs(amount)
    places = 0 if size >= 1000 else 2 if size >= 0.1 or size == 0 else 4
    return f"{amount:,.{places}f} {currency}"
