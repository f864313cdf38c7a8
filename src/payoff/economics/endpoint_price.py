"""The dated price of an endpoint's tokens, for a cap in money that must never be passed."""

from __future__ import annotations

from datetime import date

from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.prices.llm import price_llm_call

_LENGTHS = (1_000, 10_000, 100_000)
"""Tokens of a question; longer ones than the last are not asked about a text."""


def token_price(model: str, *, on: date) -> TokenPrice:
    """What a token costs at most, in US dollars.

    Where the price depends on the length of the question, the dearest of the lengths up to
    100,000 tokens holds. A price for cached tokens does not: nobody knows before what is cached.

    Args:
        model: As the price list names it.
        on: Day of the price.

    Raises:
        EconomicsError: PF607 where the list has no price for it.

    Example:
        >>> price = token_price("gpt-4o-mini", on=date(2026, 11, 22))
        >>> price.cost(1_000_000, 1_000_000).rounded()
        Money(0.75 USD)
    """
    calls = [price_llm_call(model, input_tokens=n, output_tokens=n, on=on) for n in _LENGTHS]
    pairs = list(zip(calls, _LENGTHS, strict=True))
    read = max(call.input_cost.amount / n for call, n in pairs)
    written = max(call.output_cost.amount / n for call, n in pairs)
    source = f"{calls[0].source} for {calls[0].provider} {calls[0].model}, {on.isoformat()}"
    return TokenPrice(Money(read, "USD"), Money(written, "USD"), source)


def price_client(client: EndpointClient, *, on: date) -> None:
    """Tell a client the dated price of its model, where no price is stated.

    Without a cap in money a model whose price is unknown may be asked all the same.

    Raises:
        MachineError: PF817 where money is capped and there is no price in that currency.

    Example:
        >>> client = EndpointClient("https://api.openai.com/v1", "gpt-4o-mini")
        >>> price_client(client, on=date(2026, 11, 22))
        >>> client.price.cost(1_000_000, 0).rounded()
        Money(0.15 USD)
    """
    why = ""
    if client.price is None:
        try:
            client.price = token_price(client.model, on=on)
        except EconomicsError as error:
            why = f"{error.where}: {error.found}"
    client.check_price(why)
