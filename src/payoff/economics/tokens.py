"""Tokens: what one text takes of somebody else's model, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from payoff.artifact.runtime.token_price import MILLION
from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.charge import Charge, PerRequest
from payoff.economics.costs import Step
from payoff.economics.offer import exchange
from payoff.economics.prices.llm import price_llm_call

if TYPE_CHECKING:
    from payoff.economics.prices.exchange import ExchangeRates

_SETTINGS = ("model", "input_tokens_a_text", "output_tokens_a_text")
_STATED = ("input_price", "output_price", "currency")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one text takes of a model that is paid by tokens.

    Args:
        model: As one writes it in a request.
        read: Mean tokens read a text; None where that was not measured.
        written: Mean tokens written a text; None where that was not measured.
        read_price: Of a million tokens read, where it is stated; else the dated price holds.
        written_price: Of a million tokens written, likewise.
        currency: Of the two.

    Example:
        >>> one = Tokens("gpt-4o-mini", 200.0, 4.0)
        >>> charges = one.charges(0.1, currency="USD", on=date(2026, 11, 22))
        >>> [round(charge.line(1000.0).quantity) for charge in charges]
        [100, 100]
    """

    model: str
    read: float | None
    written: float | None
    read_price: float | None = None
    written_price: float | None = None
    currency: str = ""

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Tokens:
        """From the settings of a tier of the kind ``endpoint``.

        Example:
            >>> Tokens.of_settings({"model": "gpt-4o-mini", "input_tokens_a_text": 90.5})
            Tokens(model='gpt-4o-mini', read=90.5, written=None, read_price=None,\
 written_price=None, currency='')
        """
        model, read, written = (settings.get(key) for key in _SETTINGS)
        read_price, written_price, currency = (settings.get(key) for key in _STATED)
        return cls(str(model), read, written, read_price, written_price, currency or "")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def charges(
        self, share: float, *, currency: str, on: date, rates: ExchangeRates | None = None
    ) -> tuple[Charge, ...]:
        """What is paid where this share of the requests reaches the model.

        Args:
            share: Of all requests.
            currency: Of the plan.
            on: Day whose prices hold.
            rates: Dated rates of exchange; needed where the plan is not in US dollars.

        Raises:
            EconomicsError: PF607 where the model has no price or its tokens were not counted;
                PF605 without a needed rate.
        """
        if self.read is None or self.written is None:
            raise EconomicsError(
                "PF607", self.model, "how many tokens a text takes was not measured"
            )
        read, written = math.ceil(self.read), math.ceil(self.written)
        model, costs, as_of, source = self._costs(read, written, on)
        return tuple(
            Charge(
                Step.API,
                f"{model}, {tokens} tokens {what}, {share:.0%} of the requests",
                PerRequest(share),
                "request",
                exchange(cost, currency, rates=rates, on=on),
                as_of=as_of,
                source=source,
                measured=True,
            )
            for tokens, what, cost in zip((read, written), ("read", "written"), costs, strict=True)
        )

    def _costs(
        self, read: int, written: int, on: date
    ) -> tuple[str, tuple[Money, Money], date | None, str]:
        """Name, cost of what is read and of what is written, day and source of the prices."""
        if self.read_price is None or self.written_price is None:
            priced = price_llm_call(self.model, input_tokens=read, output_tokens=written, on=on)
            costs = (priced.input_cost, priced.output_cost)
            return priced.model, costs, priced.on, priced.source
        pairs = ((self.read_price, read), (self.written_price, written))
        first, second = (Money.of(price, self.currency) * (n / MILLION) for price, n in pairs)
        return self.model, (first, second), None, "stated price of a million tokens"
