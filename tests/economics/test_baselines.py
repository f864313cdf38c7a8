"""Baselines: nothing, people, and an API whose quality is stated or not."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.economics.baselines import Baseline, do_nothing, llm_api, llm_hosting, people_only
from payoff.economics.hosting import Hosting
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices import ExchangeRates, price_llm_call
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds

TODAY = date(2026, 11, 22)
LABELS = ("billing", "refund")
WORLDS = Worlds.draw(
    np.array([0, 1, 1, 0]), 2, Traffic(1000, 1000, 1000), n_worlds=200, seed=0, person_spread=0,
    price_spread=0,
)  # fmt: skip
WORTH = Payoff(3.0, -7.0, currency="USD", person=Person(6, 20, 0.1), nothing=-1.0)


def profit(baseline: Baseline) -> float:
    assert baseline.forecast is not None
    return float(baseline.forecast.profit.mean)


def hosting(**more: object) -> Hosting:
    arguments = {"labels": LABELS, "currency": "USD", "on": TODAY, "characters_per_text": 400}
    return llm_hosting("gpt-4o-mini", "openai", **(arguments | more))  # type: ignore[arg-type]


def test_doing_nothing_is_worth_what_is_stated() -> None:
    nothing = do_nothing(WORTH, WORLDS)
    assert profit(nothing) == pytest.approx(-1000.0)
    assert nothing.forecast is not None
    assert [step.name for step in nothing.forecast.waterfall if float(step.amount)] == [
        "not answered", "profit"
    ]  # fmt: skip
    assert profit(do_nothing(Payoff(1, -1, 0, currency="USD"), WORLDS)) == 0.0


def test_people_only_by_hand() -> None:
    # 0.9 * 3 - 0.1 * 7 - 6 / 60 * 20 = 0 a request
    assert profit(people_only(WORTH, LABELS, WORLDS)) == pytest.approx(0.0, abs=0.01)
    stated = people_only(Payoff(3, -7, -4, currency="USD"), LABELS, WORLDS)
    assert profit(stated) == pytest.approx(-4000.0)


def test_people_who_can_take_only_so_many() -> None:
    few = Payoff(
        3.0, -7.0, currency="USD", nothing=-1.0, person=Person(6, 20, capacity_per_month=250)
    )
    # 250 at 3 - 2, 750 at -1
    assert profit(people_only(few, LABELS, WORLDS)) == pytest.approx(250 - 750, abs=0.01)


def test_an_api_costs_its_tokens() -> None:
    api = hosting()
    prompt = "Answer with the one label that fits the text best. Labels: billing, refund. Text: "
    read, written = -(-len(prompt) // 4) + 100, 2
    priced = price_llm_call(
        "gpt-4o-mini", "openai", input_tokens=read, output_tokens=written, on=TODAY
    )
    cost = float(api.cost_per_month(np.array([1000.0]))[0])
    assert cost == pytest.approx(1000 * float(priced.cost))
    assert all("assumed: 4 characters a token" in line.note for line in api.lines(1.0))
    assert all(line.step.value == "api" for line in api.lines(1.0))
    assert "not checked" in api.notes[0]


def test_counted_tokens_retries_and_currencies() -> None:
    counted = hosting(count_tokens=lambda text: len(text.split()), tokens_per_text=10.5)
    assert [charge.what.split(", ")[1] for charge in counted.charges] == [
        "25 tokens read", "1 tokens written"
    ]  # fmt: skip
    assert all(line.measured and not line.note for line in counted.lines(1.0))
    once, twice = (float(hosting(retry_share=r).cost_per_month(np.array([1.0]))[0]) for r in (0, 1))
    assert twice == pytest.approx(2 * once)
    rates = ExchangeRates.of("USD", {"EUR": 2}, as_of=TODAY, source="test")
    euros = hosting(currency="EUR", rates=rates)
    assert float(euros.cost_per_month(np.array([1.0]))[0]) == pytest.approx(once / 2)
    with pytest.raises(EconomicsError, match="PF605"):
        hosting(currency="EUR")
    with pytest.raises(EconomicsError, match="PF604 retry_share"):
        hosting(retry_share=-1)


def test_stated_quality_gives_a_forecast_by_hand() -> None:
    baseline = llm_api(WORTH, LABELS, WORLDS, hosting=hosting(), accuracy=0.9)
    cost = float(hosting().cost_per_month(np.array([1000.0]))[0])
    assert profit(baseline) == pytest.approx(1000 * (0.9 * 3 - 0.1 * 7) - cost, abs=0.01)
    assert baseline.forecast is not None
    steps = {step.name: float(step.amount) for step in baseline.forecast.waterfall}
    assert steps["right answers"] == pytest.approx(2700, abs=0.01)
    assert steps["wrong answers"] == pytest.approx(-700, abs=0.01)
    assert to_json(baseline.as_dict())


def test_quality_that_was_not_stated_is_not_guessed() -> None:
    baseline = llm_api(WORTH, LABELS, WORLDS, hosting=hosting(), accuracy=None)
    assert baseline.forecast is None
    assert baseline.reason == "its quality was not stated"
    assert baseline.costs.hosting is not None
    assert baseline.as_dict()["forecast"] is None
