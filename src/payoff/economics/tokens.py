"""Tokens: what one text takes of somebody else's model, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from payoff.core.errors import EconomicsError
from payoff.economics.charge import Charge, PerRequest
from payoff.economics.costs import Step
from payoff.economics.offer import exchange
from payoff.economics.prices.llm import price_llm_call

if TYPE_CHECKING:
    from payoff.economics.prices.exchange import ExchangeRates

_SETTINGS = ("model", "input_tokens_a_text", "output_tokens_a_text")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one text takes of a model that is paid by tokens.

    Args:
        model: As one writes it in a request.
        read: Mean tokens read a text; None where that was not measured.
        written: Mean tokens written a text; None where that was not measured.

    Example:
        >>> one = Tokens("gpt-4o-mini", 200.0, 4.0)
        >>> charges = one.charges(0.1, currency="USD", on=date(2026, 11, 22))
        >>> [round(charge.line(1000.0).quantity) for charge in charges]
        [100, 100]
    """

    model: str
    read: float | None
    written: float | None

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Tokens:
        """From the settings of a tier of the kind ``endpoint``.

        Example:
            >>> Tokens.of_settings({"model": "gpt-4o-mini", "input_tokens_a_text": 90.5})
            Tokens(model='gpt-4o-mini', read=90.5, written=None)
        """
        model, read, written = (settings.get(key) for key in _SETTINGS)
        return cls(str(model), read, written)

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
        priced = price_llm_call(self.model, input_tokens=read, output_tokens=written, on=on)
        parts = ((read, "read", priced.input_cost), (written, "written", priced.output_cost))
        return tuple(
            Charge(
                Step.API,
                f"{priced.model}, {tokens} tokens {what}, {share:.0%} of the requests",
                PerRequest(share),
                "request",
                exchange(cost, currency, rates=rates, on=on),
                as_of=priced.on,
                source=priced.source,
                measured=True,
            )
            for tokens, what, cost in parts
        )
