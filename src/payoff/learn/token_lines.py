"""Token lines: cost lines of what an endpoint read and wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.prices.llm import price_llm_call
from payoff.learn.spending import UNPRICED


@dataclass(frozen=True, slots=True)
class TokenLines:
    """Makes the lines of answers of one model.

    Args:
        what: The model and where it is.
        price: Of a token; 0 where nobody knows any.
        as_of: Day of the price, where it is of a dated list.
        note: Says so where there is no price.

    Example:
        >>> usage = {"model": "tiny", "base_url": "http://here/v1", "n_answers": 2,
        ...          "input_tokens": 100, "output_tokens": 8}
        >>> stated = TokenPrice.parse("1000 2000 USD", where="here")
        >>> made = TokenLines.of(usage, currency="USD", on=date(2026, 11, 22), price=stated)
        >>> {kind: str(line.amount) for kind, line in made.lines(60, 4).items()}
        {'read': '0.0600 USD', 'written': '0.0080 USD'}
    """

    what: str
    price: TokenPrice
    as_of: date | None = None
    note: str = ""

    @classmethod
    def of(
        cls, usage: Mapping[str, Any], *, currency: str, on: date, price: TokenPrice | None = None
    ) -> TokenLines:
        """With the stated price, else the dated one of the model, else none.

        Args:
            usage: ``model``, ``base_url``, ``n_answers``, ``input_tokens``, ``output_tokens``.
            currency: Of a line without a price.
            on: Day of the price.
            price: Of a token, where it is stated.
        """
        what = f"{usage['model']} at {usage['base_url']}"
        if price is not None:
            return cls(what, price)
        n = max(1, int(usage["n_answers"]))
        # Some prices depend on the length of a call: those of the mean call hold.
        counts = (int(usage["input_tokens"]), int(usage["output_tokens"]))
        read, written = (max(1, round(count / n)) for count in counts)
        try:
            call = price_llm_call(
                str(usage["model"]), input_tokens=read, output_tokens=written, on=on
            )
        except EconomicsError as error:
            nothing = Money.of(0, currency)
            return cls(what, TokenPrice(nothing, nothing), note=f"{UNPRICED}: {error.found}")
        each = (
            Money(call.input_cost.amount / read, "USD"),
            Money(call.output_cost.amount / written, "USD"),
        )
        return cls(what, TokenPrice(*each, source=call.source), as_of=on)

    def lines(self, read: int, written: int, *, measured: bool = True) -> dict[str, CostLine]:
        """A line for what was read and one for what was written, where there is any.

        Args:
            read: Tokens.
            written: Tokens.
            measured: Whether the endpoint counted them.
        """
        pairs = (("read", read, self.price.read), ("written", written, self.price.written))
        return {
            kind: CostLine(
                Step.API,
                f"{self.what}, tokens {kind}",
                count,
                "token",
                each,
                as_of=self.as_of,
                source=self.price.source,
                measured=measured,
                note=self.note,
            )
            for kind, count, each in pairs
            if count
        }
