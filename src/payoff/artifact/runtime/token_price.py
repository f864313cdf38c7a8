"""What a token costs at an endpoint: one price for what is read, another for what is written."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from payoff.core.errors import EconomicsError, MachineError
from payoff.core.money import Money

MILLION = 1_000_000
"""Tokens that price lists quote."""

_FORM = "the prices of a million tokens read and written, such as '0.15 0.60 USD'"


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """The price of one token read and of one written.

    Args:
        read: Of a token of the question.
        written: Of a token of the answer.
        source: Where the prices come from.

    Raises:
        MachineError: PF817 where a price is below 0 or their currencies differ.

    Example:
        >>> price = TokenPrice.parse("0.15 0.60 USD", where="here")
        >>> price.cost(2_000_000, 1_000_000)
        Money(0.90000000 USD)
    """

    read: Money
    written: Money
    source: str = ""

    def __post_init__(self) -> None:
        if self.read.currency != self.written.currency or min(self.amounts) < 0:
            found = f"a token costs {self.read!r} read and {self.written!r} written"
            expected = "one currency, and no price below 0"
            raise MachineError("PF817", self.source or "price of a token", found, expected=expected)

    @property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """Of a token read and of one written, exact."""
        return self.read.amount, self.written.amount

    @property
    def currency(self) -> str:
        """Of both."""
        return self.read.currency

    def cost(self, read: int, written: int) -> Money:
        """The exact price of so many tokens."""
        return Money(self.read.amount * read + self.written.amount * written, self.currency)

    @classmethod
    def of_million(
        cls, read: Decimal | float | str, written: Decimal | float | str, currency: str, source: str
    ) -> TokenPrice:
        """From the prices of a million tokens, as price lists quote them."""
        each = [Money.of(amount, currency).amount / MILLION for amount in (read, written)]
        return cls(Money(each[0], currency), Money(each[1], currency), source)

    @classmethod
    def parse(cls, text: str, *, where: str) -> TokenPrice:
        """From words: the prices of a million tokens read and written, and their currency.

        Raises:
            MachineError: PF817 where the text is none.
        """
        try:
            read, written, currency = text.split()
            return cls.of_million(read, written, currency, where)
        except (ValueError, InvalidOperation, EconomicsError) as error:
            raise MachineError("PF817", where, f"'{text}' is no price", expected=_FORM) from error
