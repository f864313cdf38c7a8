"""What a call to an LLM API costs, from the dated prices of the package genai-prices.

The prices are those that come with the installed package; nothing is fetched. The package and
its version are part of the result, so that a report can say where the money came from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from payoff.core.errors import EconomicsError
from payoff.core.money import Money

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation, Provider

_NAMES_PER_MESSAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmPrice:
    """The cost of one call.

    Args:
        model: The model as the price list names it.
        provider: The provider as the price list names it.
        cost: All that the call costs.
        input_cost: Share of what is read, cached tokens included.
        output_cost: Share of what is written.
        on: Day whose prices were taken.
        source: Package and version that the prices come from.
    """

    model: str
    provider: str
    cost: Money
    input_cost: Money
    output_cost: Money
    on: date
    source: str


def price_llm_call(
    model: str,
    provider: str | None = None,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_input_tokens: int = 0,
    on: date,
) -> LlmPrice:
    """Price one call to an LLM API in US dollars.

    Where prices differ by the hour, those of noon UTC hold; where a price depends on the length
    of the prompt, this call's length decides. A model without a price for cached tokens is
    charged the full input price for them.

    Args:
        model: Name of the model as one writes it in a request.
        provider: Id such as ``"openai"``; guessed from the model where it is ``None``.
        input_tokens: Tokens read, cached ones included.
        output_tokens: Tokens written, reasoning included.
        cached_input_tokens: Tokens among ``input_tokens`` that the provider has cached.
        on: Day of the call.

    Raises:
        EconomicsError: PF604 where a number of tokens is impossible, PF607 where the model, the
            provider or a price for its tokens is unknown.

    Example:
        >>> price_llm_call("gpt-4o-mini", "openai", input_tokens=1_000_000, output_tokens=0,
        ...                on=date(2026, 11, 22)).cost.rounded()
        Money(0.15 USD)
    """
    _check_tokens(input_tokens, output_tokens, cached_input_tokens=cached_input_tokens)
    from genai_prices import Usage, __version__, calc_price

    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cached_input_tokens,
    )
    noon = datetime.combine(on, time(12), tzinfo=UTC)
    try:
        priced = calc_price(usage, model, provider_id=provider, genai_request_timestamp=noon)
    except LookupError as error:
        raise _unknown(model, provider) from error
    _check_priced(priced, input_tokens=input_tokens, output_tokens=output_tokens)
    return LlmPrice(
        model=priced.model.id,
        provider=priced.provider.id,
        cost=Money.of(priced.total_price, "USD"),
        input_cost=Money.of(priced.input_price, "USD"),
        output_cost=Money.of(priced.output_price, "USD"),
        on=on,
        source=f"genai-prices {__version__}",
    )


def _check_tokens(input_tokens: int, output_tokens: int, *, cached_input_tokens: int) -> None:
    counts = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_input_tokens": cached_input_tokens,
    }
    for name, count in counts.items():
        if count < 0:
            raise EconomicsError(
                "PF604", name, f"{count} tokens", expected="a number from 0 upwards"
            )
    if cached_input_tokens > input_tokens:
        raise EconomicsError(
            "PF604",
            "cached_input_tokens",
            f"{cached_input_tokens} tokens are more than the {input_tokens} input tokens",
            mend="Count cached tokens among the input tokens.",
        )


def _check_priced(priced: PriceCalculation, *, input_tokens: int, output_tokens: int) -> None:
    """Refuse a model that the list prices by the hour or picture: its tokens would be free."""
    for name, count in (("input", input_tokens), ("output", output_tokens)):
        if count and getattr(priced.model_price, f"{name}_mtok", None) is None:
            raise EconomicsError(
                "PF607",
                f"{priced.provider.id} {priced.model.id}",
                f"the price list has no price for its {name} tokens",
                mend="Take a model that is sold by tokens.",
            )


def _unknown(model: str, provider: str | None) -> EconomicsError:
    from genai_prices.data import providers

    known = {entry.id: entry for entry in providers}
    if provider is not None and provider not in known:
        return EconomicsError(
            "PF607",
            f"provider '{provider}'",
            "the price list does not know it",
            mend=_near(provider, known) or "Known are " + ", ".join(sorted(known)) + ".",
        )
    sold: list[Provider] = list(providers) if provider is None else [known[provider]]
    names = sorted({entry.id for seller in sold for entry in seller.models})
    return EconomicsError(
        "PF607",
        f"model '{model}'",
        "the price list does not know it" + (f" at {provider}" if provider else ""),
        mend=_near(model, names) or "Upgrade genai-prices, or name another model.",
    )


def _near(found: str, known: Iterable[str]) -> str:
    names = difflib.get_close_matches(found, list(known), n=_NAMES_PER_MESSAGE)
    return "Near are " + ", ".join(names) + "." if names else ""
