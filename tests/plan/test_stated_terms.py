"""Stated terms: what sections say and what terms say are the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.traffic import Traffic
from payoff.plan.stated_terms import sections_of, terms_of
from payoff.plan.terms import Terms

DAY = date(2026, 11, 22)
FULL: dict[str, Any] = {
    "label_price": 0.08,
    "horizon_months": 24,
    "months_until_retraining": 4,
    "latency_limit_ms": 80.0,
    "risk_aversion": 0.4,
    "llm": {"model": "gpt-5-mini", "accuracy": 0.9},
    "rates": ExchangeRates.of("USD", {"EUR": 1.08}, as_of=DAY, source="a bank"),
    "providers": ("aws", "hetzner"),
    "region": "eu-central-1",
    "expected_mix": {"a": 0.7, "b": 0.3},
    "hour_of_waiting": 12.0,
    "prices": PriceBook.builtin().with_prices(
        [replace(PriceBook.builtin().prices[0], provider="cellar", source="invoice 7")]
    ),
}
PAYOFFS = [
    Payoff(3.0, -7.0, -2.0, currency="USD", nothing=-0.5),
    Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02, capacity_per_month=900)),
    Payoff.from_dict(
        {
            "currency": "USD", "correct": 3, "wrong": -7, "handoff": -2,
            "classes": {"a": {"wrong": -20}},
            "pairs": [{"truth": "a", "action": "b", "value": -40}],
        }
    ),
    Payoff(
        0.0, 0.0, currency="USD",
        matrix_values={t: {"a": 1.0, "b": -2.0, "handoff": 0.0} for t in ("a", "b")},
    ),
]  # fmt: skip


@pytest.mark.parametrize("payoff", PAYOFFS)
@pytest.mark.parametrize("more", [{}, FULL])
def test_sections_state_the_very_same_terms(payoff: Payoff, more: dict[str, Any]) -> None:
    terms = Terms(payoff, Traffic(1000, 700, 1500, growth_per_month=0.02), on=DAY, **more)
    again = terms_of(sections_of(terms), Path())
    assert again.as_dict() == terms.as_dict()
    assert again.payoff == terms.payoff
