"""Tokens: what is paid follows from the counts, the price list and who is asked."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.economics.costs import Step
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.prices.llm import price_llm_call
from payoff.economics.tokens import Tokens

DAY = date(2026, 11, 22)
ONE = Tokens("gpt-4o-mini", 999.5, 4.0)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.0, 1.0))
def test_what_is_paid_is_the_share_times_the_price(share: float) -> None:
    charges = ONE.charges(share, currency="USD", on=DAY)
    each = float(price_llm_call("gpt-4o-mini", input_tokens=1000, output_tokens=4, on=DAY).cost)
    paid = sum(float(charge.cost(np.array(5000.0))) for charge in charges)
    assert paid == pytest.approx(5000 * share * each)
    assert {charge.step for charge in charges} == {Step.API}


def test_another_currency_needs_a_rate() -> None:
    rates = ExchangeRates.of("USD", {"EUR": 1.25}, as_of=DAY, source="a bank")
    dollars, euros = (
        sum(float(c.unit_price) for c in ONE.charges(1.0, currency=unit, on=DAY, rates=rates))
        for unit in ("USD", "EUR")
    )
    assert euros == pytest.approx(dollars / 1.25)
    with pytest.raises(EconomicsError, match="PF605"):
        ONE.charges(1.0, currency="EUR", on=DAY)


def test_what_has_no_price_is_refused() -> None:
    for wrong in (Tokens("nobody-sells-this", 10.0, 1.0), Tokens("gpt-4o-mini", None, 1.0)):
        with pytest.raises(EconomicsError, match="PF607"):
            wrong.charges(1.0, currency="USD", on=DAY)


def test_the_settings_of_a_tier_say_it() -> None:
    settings = {"model": "m", "input_tokens_a_text": 7.5, "output_tokens_a_text": 2, "other": 1}
    assert Tokens.of_settings(settings) == Tokens("m", 7.5, 2)
    assert Tokens(**Tokens("m", 7.5, None).as_dict()) == Tokens("m", 7.5, None)


def test_a_stated_price_stands_before_the_list() -> None:
    settings = {
        "model": "gpt-4o-mini",
        "input_tokens_a_text": 99.5,
        "output_tokens_a_text": 4.0,
        "input_price": 2_000.0,
        "output_price": 5_000.0,
        "currency": "EUR",
    }
    tokens = Tokens.of_settings(settings)
    assert Tokens(**tokens.as_dict()) == tokens
    read, written = tokens.charges(1.0, currency="EUR", on=DAY)
    assert float(read.unit_price) == pytest.approx(100 * 0.002)  # whole tokens, rounded up
    assert float(written.unit_price) == pytest.approx(4 * 0.005)
    assert (read.as_of, read.source) == (None, "stated price of a million tokens")
    own = Tokens("nobody-sells-this", 10.0, 1.0, 1.0, 1.0, "USD")
    assert own.charges(0.5, currency="USD", on=DAY)
    with pytest.raises(EconomicsError, match="PF605"):
        tokens.charges(1.0, currency="USD", on=DAY)
