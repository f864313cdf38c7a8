"""Stated terms: what sections say and what terms say are the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.core.errors import PayoffError
from payoff.economics.build_work import BuildWork
from payoff.economics.floor import Floor
from payoff.economics.own_machine import OwnMachine
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.traffic import Traffic
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.plan.reckoning import Reckoning
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
    "own_machine": OwnMachine(
        vcpu=4, memory_gib=16, purchase=900, life_months=36, watts=40, price_per_kwh=0.3, name="box"
    ),
    "build": BuildWork(40, 60),
    "speed_ratio": 1.5,
    "retention_months": 3.0,
    "floors": (
        Floor(None, at_most=0.05, confidence=0.9),
        Floor("a", at_most=0.02, confidence=None),
    ),
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
    assert again.floors == terms.floors


def test_hours_to_build_and_a_machine_of_ones_own_reach_the_costs() -> None:
    sections = sections_of(Terms(PAYOFFS[0], Traffic(1_000_000), on=DAY)) | {
        "build": {"hours": 40, "wage_per_hour": 60.0},
        "own_machine": {
            "vcpu": 4, "memory_gib": 16, "purchase": 3.6, "life_months": 36, "watts": 1.0,
            "price_per_kwh": 0.1,
        },
    }  # fmt: skip
    terms = terms_of(sections, Path())
    reckoning = Reckoning(terms, ("a", "b"), 100, np.array([50, 50]), 260.0, 60.0)
    latency = Latency(4.0, 5.0, 200.0, 64, 100, 2)
    footprint = Footprint(30_000_000, 200_000_000, 0.5)
    chosen, reference = reckoning.hosting(latency, footprint)
    assert chosen.name == "own machine"
    assert chosen.cost_at(1e6) == pytest.approx(3.6 / 36 + 0.001 * 730 * 0.1)
    assert reference.provider != "own", "what it is compared with is rented"
    once = {line.step.value: line for line in reckoning.costs(chosen, 100.0).once}
    assert float(once["build"].amount) == pytest.approx(2400.0)
    assert once["build"].source == "payoff.toml [build]"

    without = Reckoning(
        replace(terms, own_machine=None, build=None), ("a", "b"), 100, np.array([50, 50]), 260, 60
    )
    assert without.hosting(latency, footprint)[0].provider != "own"
    assert "build" not in {line.step.value for line in without.costs(reference, 100.0).once}


def test_a_faster_machine_and_a_shorter_memory_cost_less() -> None:
    latency, footprint = Latency(4.0, 5.0, 200.0, 64, 100, 2), Footprint(30_000_000, 2 * 10**8, 0.5)

    def bill(**more: float) -> dict[str, float]:
        hosting = {"providers": ["aws"], "region": "us-east-1", **more}
        stated = sections_of(Terms(PAYOFFS[0], Traffic(3e7), on=DAY)) | {"hosting": hosting}
        reckoning = Reckoning(
            terms_of(stated, Path()), ("a", "b"), 100, np.array([50, 50]), 260.0, 60.0
        )
        _, rented = reckoning.hosting(latency, footprint)
        lines = (*rented.lines(3e7), *reckoning.costs(rented, 3600.0).once)
        return {line.what.split(" of ")[0]: line.quantity for line in lines}

    usual, faster, brief = bill(), bill(speed_ratio=4.0), bill(retention_months=3.0)
    assert usual["1 run"] == pytest.approx(1.0), "an hour on this machine"
    assert faster["1 run"] == pytest.approx(0.25)
    assert brief["journal stored"] == pytest.approx(usual["journal stored"] * 3 / 12)
    assert usual["labelled data stored"] == pytest.approx(100 * 260 / 1e9)


def test_a_machine_of_ones_own_needs_no_price_of_anybody() -> None:
    """In a currency in which nothing is priced, it is the one host."""
    own = FULL["own_machine"]
    payoff = replace(PAYOFFS[0], currency="ISK")
    reckoning = Reckoning(
        Terms(payoff, Traffic(1000), on=DAY, own_machine=own),
        ("a", "b"), 100, np.array([50, 50]), 260.0, 60.0,
    )  # fmt: skip
    reckoning.check_hosts()
    latency, footprint = Latency(4.0, 5.0, 200.0, 64, 100, 2), Footprint(30_000_000, 2 * 10**8, 0.5)
    chosen, reference = reckoning.hosting(latency, footprint)
    assert chosen.name == reference.name == "box"


@pytest.mark.parametrize(
    ("section", "figures", "told"),
    [
        ("build", {"hours": 40}, r"PF203 payoff.toml \[build\]: 'wage_per_hour' is missing"),
        ("build", {"hours": -1, "wage_per_hour": 9}, r"PF203 .*'hours' is -1"),
        ("own_machine", {"vcpu": 0}, r"PF203 payoff.toml \[own_machine\]: 'vcpu' is 0"),
        ("own_machine", {"life_months": 0}, "'life_months' is 0"),
        ("own_machine", {"name": " "}, "'name' is empty"),
    ],
)
def test_wrong_figures_of_both_are_told(section: str, figures: dict[str, Any], told: str) -> None:
    whole = FULL["own_machine"].as_dict() | figures if section == "own_machine" else figures
    stated = sections_of(Terms(PAYOFFS[0], Traffic(1000), on=DAY)) | {section: whole}
    with pytest.raises(PayoffError, match=told):
        terms_of(stated, Path())
