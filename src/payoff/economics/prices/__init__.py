"""Prices: dated facts with a source and a currency.

Machines, functions, storage and traffic stand in the `PriceBook`; calls to LLM APIs are priced
by `price_llm_call`; currencies are exchanged by the founder's own `ExchangeRates`.

The built-in files under ``data/`` hold one fact a row, one file a provider. Where a provider has
no row of a kind, payoff has no price of it: Hetzner sells no functions, so that a serverless
plan there is not offered; Alibaba Cloud's current ECS instances are to be added by the user.
"""

from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.exchange import ExchangeRate, ExchangeRates
from payoff.economics.prices.llm import LlmPrice, price_llm_call
from payoff.economics.prices.price import Price

__all__ = [
    "ExchangeRate",
    "ExchangeRates",
    "LlmPrice",
    "Price",
    "PriceBook",
    "price_llm_call",
]
