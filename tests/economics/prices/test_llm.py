from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices.data import providers

from payoff.core.errors import EconomicsError
from payoff.economics.prices.llm import price_llm_call

DAY = date(2026, 11, 22)


def unit_prices(provider: str, model: str) -> tuple[Decimal, Decimal, Decimal]:
    """Dollars per million tokens read, written and read from the cache."""
    sold = next(entry for entry in providers if entry.id == provider).models
    found = next(entry for entry in sold if entry.id == model)
    prices = found.get_prices(datetime(2026, 11, 22, 12, tzinfo=UTC))
    cached = prices.cache_read_mtok if prices.cache_read_mtok is not None else prices.input_mtok
    return prices.input_mtok, prices.output_mtok, cached


def test_tokens_in_and_out_restated():
    read, written, _ = unit_prices("openai", "gpt-4o-mini")
    call = price_llm_call("gpt-4o-mini", "openai", input_tokens=1200, output_tokens=30, on=DAY)
    assert call.input_cost.amount == 1200 * read / 1_000_000
    assert call.output_cost.amount == 30 * written / 1_000_000
    assert call.cost == call.input_cost + call.output_cost
    assert call.cost.currency == "USD"
    assert (call.model, call.provider, call.on) == ("gpt-4o-mini", "openai", DAY)
    assert call.source.startswith("genai-prices ")


def test_the_cached_prefix_is_priced_apart():
    read, _, cached = unit_prices("openai", "gpt-4o-mini")
    assert cached < read
    call = price_llm_call(
        "gpt-4o-mini",
        "openai",
        input_tokens=1000,
        output_tokens=0,
        cached_input_tokens=800,
        on=DAY,
    )
    assert call.cost.amount == (200 * read + 800 * cached) / 1_000_000


def test_cached_tokens_without_a_price_cost_the_full_one():
    read, _, cached = unit_prices("openai", "gpt-4")
    assert cached == read
    call = price_llm_call(
        "gpt-4", "openai", input_tokens=1000, output_tokens=0, cached_input_tokens=800, on=DAY
    )
    assert call.cost.amount == 1000 * read / 1_000_000


def test_the_provider_is_guessed_from_the_model():
    call = price_llm_call("gpt-4o-mini", input_tokens=10, output_tokens=1, on=DAY)
    assert call.provider == "openai"


def test_no_tokens_cost_nothing():
    call = price_llm_call("gpt-4o-mini", "openai", input_tokens=0, output_tokens=0, on=DAY)
    assert call.cost.amount == 0


def changed_models() -> list[tuple[str, str, date, Decimal, Decimal]]:
    """Models with one plain change of their input price: provider, id, day, old, new."""
    found = []
    for entry in providers:
        for model in entry.models:
            if not isinstance(model.prices, list) or len(model.prices) != 2:
                continue
            start = getattr(model.prices[1].constraint, "start_date", None)
            old, new = (getattr(price.prices, "input_mtok", None) for price in model.prices)
            plain = isinstance(old, Decimal) and isinstance(new, Decimal) and old != new
            if plain and isinstance(start, date):
                found.append((entry.id, model.id, start, old, new))
    return found


def test_the_day_of_the_call_decides_which_price_holds():
    changed = changed_models()
    assert changed
    for provider, model, start, old, new in changed[:3]:
        tokens = {"input_tokens": 1_000_000, "output_tokens": 0}
        before = date.fromordinal(start.toordinal() - 1)
        assert price_llm_call(model, provider, **tokens, on=before).cost.amount == old
        assert price_llm_call(model, provider, **tokens, on=start).cost.amount == new


@pytest.mark.parametrize(
    ("model", "provider", "told"),
    [
        ("gpt-4o-mni", "openai", "Near are gpt-4o-mini"),
        ("qqqqqqqqqqqq", "openai", "does not know it at openai. Upgrade genai-prices"),
        ("claude-sonet", None, "Near are claude-sonnet"),
        ("gpt-4o-mini", "opnai", "Near are openai"),
        ("gpt-4o-mini", "zzzz", "Known are anthropic"),
    ],
)
def test_unknown_names_are_told_with_near_ones(model: str, provider: str | None, told: str):
    with pytest.raises(EconomicsError) as caught:
        price_llm_call(model, provider, input_tokens=1, output_tokens=1, on=DAY)
    assert caught.value.code == "PF607"
    assert told in str(caught.value)


def test_a_model_sold_by_something_else_than_tokens_is_not_free():
    with pytest.raises(EconomicsError, match=r"PF607 openai whisper-1: .*its input tokens"):
        price_llm_call("whisper-1", "openai", input_tokens=10, output_tokens=0, on=DAY)


@pytest.mark.parametrize(
    ("read", "written", "cached", "name"),
    [(-1, 0, 0, "input"), (0, -1, 0, "output"), (0, 0, -1, "cached"), (5, 0, 6, "cached")],
)
def test_impossible_numbers_of_tokens(read: int, written: int, cached: int, name: str):
    with pytest.raises(EconomicsError, match=rf"PF604 {name}"):
        price_llm_call(
            "gpt-4o-mini",
            input_tokens=read,
            output_tokens=written,
            cached_input_tokens=cached,
            on=DAY,
        )
