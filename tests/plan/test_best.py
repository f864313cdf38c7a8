"""Which option is taken where validation rows tell little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from payoff.adapt.recipes.recipe import Candidate
from payoff.economics.costs import PlanCosts
from payoff.economics.forecast import Forecast
from payoff.economics.forecasts import forecast
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds
from payoff.plan.search import best
from payoff.plan.terms import Terms

N_ROWS = 40
WORLDS = Worlds.draw(np.zeros(N_ROWS, np.int64), 1, Traffic(1000, 900, 1100), seed=0)
TERMS = Terms(Payoff(correct=3.0, wrong=-6.0, handoff=0.0, currency="USD"), Traffic(1000))


@dataclass(frozen=True)
class Judged:
    """As much of an option as is looked at."""

    candidate: Candidate
    forecast: Forecast

    @property
    def recipe(self) -> str:
        return self.candidate.recipe

    @property
    def name(self) -> str:
        return self.candidate.name


def judged(recipe: str, wrong: int) -> Judged:
    """A recipe with so many wrong answers, other rows than those of other recipes."""
    start = {"contrastive": 0, "frozen-head": 10}[recipe]
    values = np.full(N_ROWS, 3.0)
    values[start : start + wrong] = -6.0
    told = forecast(
        recipe,
        gross_values=values,
        handed_over=np.zeros(N_ROWS, bool),
        costs=PlanCosts(),
        worlds=WORLDS,
        currency="USD",
    )
    return Judged(Candidate(recipe, "tiny"), told)


@pytest.mark.parametrize(
    ("expected", "wrong", "chosen"),
    [
        ("", 4, "frozen-head"),
        ("contrastive", 4, "contrastive"),  # one answer more of 40 tells nothing
        ("contrastive", 10, "frozen-head"),  # seven more do
        ("named-head", 4, "frozen-head"),  # it was not tried
    ],
)
def test_the_usual_recipe_unless_another_is_clearly_worth_more(
    expected: str, wrong: int, chosen: str
) -> None:
    options: Any = [judged("contrastive", wrong), judged("frozen-head", 3)]
    assert best(options, TERMS, expected).recipe == chosen
