"""Settings that may be added to a recipe, and where to look for better ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapt.tiny_backbones import messages

from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Recipe
from payoff.adapt.recipes.searched import Searched, Settable, optional_settings, with_settings
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

Make = Callable[..., Any]
SEARCHED = [recipe for recipe in recipes() if isinstance(recipe, Searched)]
# The backbone of these tests has no language-model head, which `masked` needs.
TUNED = [r for r in recipes() if isinstance(r, Tuned) and r.name != "masked"]


def named(found: list[Any]) -> Any:
    return pytest.mark.parametrize("recipe", found, ids=[recipe.name for recipe in found])


@pytest.fixture
def bench(make_bench: Make, bert_folder: Any, table_folder: Any) -> Workbench:
    texts, targets = messages([12, 12])
    made: Workbench = make_bench(texts, targets, [bert_folder, table_folder])
    return replace(made, unlabelled=tuple(messages([5, 5], seed=11)[0]))


def test_the_recipes_that_train_an_encoder_say_where_to_look() -> None:
    assert {recipe.name for recipe in TUNED} <= {recipe.name for recipe in SEARCHED}
    assert {"frozen-head", "static-head", "bag-of-words"} <= {r.name for r in SEARCHED}
    assert isinstance(recipe_named("lora"), Settable)
    assert not isinstance(recipe_named("zero-shot"), Settable)


@named(SEARCHED)
def test_the_usual_settings_lie_where_is_looked(recipe: Any, bench: Workbench) -> None:
    for usual in recipe.standard(bench):
        space = recipe.space(usual, bench)
        values = dict(usual.settings) | optional_settings(recipe, usual, bench)
        assert space
        assert space.keys() <= values.keys()
        for name, where in space.items():
            assert where.holds(values[name]), f"{name} {values[name]} in {where}"
            assert type(values[name]) is int or not where.whole


@named(TUNED)
def test_a_rate_can_be_set_and_counts(recipe: Any, bench: Workbench) -> None:
    usual = recipe.standard(bench)[0]
    assert "learning_rate" in dict(usual.settings) | optional_settings(recipe, usual, bench)
    faster = with_settings(recipe, usual, bench, {"learning_rate": 0.0123})
    assert dict(faster.settings)["learning_rate"] == 0.0123
    training = recipe.start(faster, bench).training
    schedule = getattr(training, "schedule", None) or training.member.schedule
    assert schedule.learning_rate == 0.0123


def test_a_setting_that_counts_anyhow_is_not_named(bench: Workbench) -> None:
    recipe: Recipe = recipe_named("lora")
    usual = recipe.standard(bench)[0]
    optional = optional_settings(recipe, usual, bench)
    assert optional == {
        "learning_rate": 2e-3,
        "head_learning_rate": 2e-3,
        "decay": 1.0,
        "batch_texts": 32,
        "max_tokens": 4096,
        "merged": 1,
        "smoothing": 0.1,
    }
    assert with_settings(recipe, usual, bench, optional) == usual
    assert (
        with_settings(recipe, usual, bench, {"smoothing": 0.2}).name
        == f"{usual.name} smoothing=0.2"
    )
    slower = with_settings(recipe, usual, bench, {"rate": 1e-4, "learning_rate": 2e-3})
    assert dict(slower.settings)["learning_rate"] == 2e-3, "it counts against the rate given"


def test_smoothing_and_steps_are_as_set(bench: Workbench) -> None:
    recipe = recipe_named("fine-tune")
    usual = recipe.standard(bench)[0]
    settings = {
        "smoothing": 0.25,
        "batch_texts": 4,
        "head_learning_rate": 0.5,
        "decay": 0.5,
        "max_tokens": 50,
    }
    attempt = recipe.start(with_settings(recipe, usual, bench, settings), bench)
    assert isinstance(attempt, TuneAttempt)
    assert attempt.training.objective.smoothing == 0.25  # type: ignore[attr-defined]
    assert attempt.training.schedule.batch_texts == 4
    assert attempt.training.steps_per_epoch == int(np.ceil(len(bench.train) / 4))
    assert attempt.training.schedule.head_learning_rate == 0.5
    assert attempt.training.largest_batch().n_tokens <= 50
    assert "max_tokens" not in recipe.space(usual, bench), "it bounds memory, not quality"
    rates = [group["lr"] for group in attempt.training._optimiser.param_groups]
    assert rates[0] < rates[2], "each layer has half the rate of the one above it"
    np.testing.assert_allclose(rates[2], 2 * rates[0])
    assert "decay" not in recipe.space(usual, bench), "it is to be asked for"


@named(TUNED)
def test_smoothing_is_offered_where_the_objective_smooths(recipe: Any, bench: Workbench) -> None:
    usual = recipe.standard(bench)[0]
    objective = recipe.objective(usual, bench)
    smooths = is_dataclass(objective) and "smoothing" in {f.name for f in fields(objective)}
    offered = "smoothing" in optional_settings(recipe, usual, bench)
    assert offered is (smooths and "smoothing" in recipe.settable)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 0.0},
        {"head_learning_rate": -1.0},
        {"batch_texts": 0},
        {"max_tokens": 0},
        {"decay": 0.0},
        {"decay": 1.5},
        {"smoothing": 1.0},
        {"smoothing": -0.1},
    ],
)
def test_a_setting_that_makes_no_sense_is_told(settings: dict[str, Any], bench: Workbench) -> None:
    recipe = recipe_named("fine-tune")
    candidate = with_settings(recipe, recipe.standard(bench)[0], bench, settings)
    with pytest.raises(AdaptError, match="PF406 setting"):
        recipe.start(candidate, bench).advance(1.0)


@given(
    low=st.floats(1e-8, 1.0),
    factor=st.floats(1.5, 1e4),
    share=st.floats(0, 1),
)
def test_a_rounded_value_stays_within(low: float, factor: float, share: float) -> None:
    where = Range(low, low * factor, log=True)
    value = where.rounded(low * factor**share)
    assert where.holds(value)
    assert value == pytest.approx(low * factor**share, rel=6e-3)


@pytest.mark.parametrize(
    "bounds", [(2.0, 1.0), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_a_range_without_a_number_is_told(bounds: tuple[float, float]) -> None:
    with pytest.raises(AdaptError, match="PF406 range"):
        Range(*bounds)
    with pytest.raises(AdaptError, match="PF406 range"):
        Range(0.0, 1.0, log=True)


def test_ranges_as_plain_values() -> None:
    assert Range(2, 32, log=True).as_dict() == {"low": 2, "high": 32, "log": True, "whole": True}
    assert Range(choices=(1, 2)).as_dict() == {"choices": [1, 2]}
    assert Range(2, 32).rounded(7) == 7
    assert not Range(0.0, 1.0).holds("half")
