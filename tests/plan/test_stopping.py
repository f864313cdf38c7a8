"""When a search stops: what the next candidate is expected to bring, and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from payoff.adapt.recipes.recipe import Candidate
from payoff.plan.ladder import Tried
from payoff.plan.score import Score
from payoff.plan.stopping import HeldBack, expected_gain, why_stopped


def scores(*values: float, noise: float = 0.0) -> list[Score]:
    rows = np.tile([1.0, -1.0], 50) * noise
    return [Score(value + rows, np.ones(100)) for value in values]


def test_expected_gain_by_hand() -> None:
    """Of 1, 2 and 4 the standard deviation is 1.5275, and the mean of max(0, z) is 0.39894."""
    assert expected_gain(scores(1, 2, 4), 20.0) == pytest.approx(1.5275 * 0.39894, abs=1e-4)
    assert expected_gain(scores(1, 2, 4), 4.5) == 0.25, "at most half of what is left"
    assert expected_gain(scores(1, 4), 20.0) == 8.0, "two tell nothing of the spread"
    assert expected_gain(scores(3, 3, 3), 20.0) == 0.0
    alike = expected_gain(scores(3, 3, 3, noise=2.0), 20.0)
    assert alike == pytest.approx(0.39894 * 2.0 / 10, rel=1e-3), "what rows cannot tell apart"
    assert expected_gain(scores(3, 3, 3), 2.0) == 0.0, "nothing is left"


def test_it_is_the_mean_improvement_of_draws() -> None:
    found = expected_gain(scores(1.0, 1.5, 2.5), 50.0)
    sd = np.std([1.0, 1.5, 2.5], ddof=1)
    draws = np.random.default_rng(0).normal(2.5, sd, 400_000)
    assert found == pytest.approx(np.maximum(draws - 2.5, 0).mean(), rel=0.01)


def held(by: str, seconds: float, gain: float | None, name: str = "lora") -> Tried:
    return Tried(Candidate(name, ""), "not run", held_back=HeldBack(by, seconds, gain))


def test_why_it_stopped_in_money() -> None:
    told = why_stopped(
        [held("worth", 1800.0, 0.001)], requests=10_000, cost_per_hour=40.0, currency="EUR"
    )
    assert told["stopped_by"] == "worth"
    assert told["next"] == {"candidate": "lora", "seconds": 1800.0, "gain": 10.0, "cost": 20.0}
    assert (
        "expected to bring 10.00 EUR over the horizon and would have cost 20.00 EUR"
        in (told["sentence"])
    )


def test_minutes_come_before_worth() -> None:
    """What was left out for time might have paid; the shortest of it is named."""
    told = why_stopped(
        [
            held("worth", 10.0, 0.1),
            held("minutes", 300.0, 0.2, "fine-tune"),
            held("minutes", 90.0, None, "contrastive"),
        ],
        requests=100,
        cost_per_hour=0.0,
        currency="EUR",
    )
    assert told["stopped_by"] == "minutes"
    assert told["next"]["candidate"] == "contrastive"
    assert "ran out before 2 candidates" in told["sentence"]
    assert told["next"]["gain"] is None
    assert not math.isnan(told["cost_per_hour"])
