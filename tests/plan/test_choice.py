"""By expected profit; the usual recipe in doubt, where rows are few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.adapt.workbench import Workbench
from payoff.economics.uncertain_money import UncertainMoney
from payoff.plan.choice import CASCADE, expected_recipe, foremost, preferred

RNG = np.random.default_rng(0)
BASE = RNG.normal(100.0, 30.0, 4000)


def profit(lead: float, spread: float = 1.0) -> UncertainMoney:
    return UncertainMoney(BASE + RNG.normal(lead, spread, 4000), "EUR")


@pytest.mark.parametrize(
    ("lead", "chosen"),
    [(3.0, "cascade"), (0.5, "cascade"), (-0.5, "model")],
)
def test_a_cascade_is_a_plan_like_any_other(lead: float, chosen: str) -> None:
    profits = [profit(-1.0, 0.0), profit(0.0, 0.0), profit(lead)]
    place = preferred(profits, ["a", "b", CASCADE], aversion=0.0, expected="")
    assert place == {"cascade": 2, "model": 1}[chosen]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_less_than_a_thousandth_is_not_worth_a_second_model(sign: float) -> None:
    one = UncertainMoney(sign * BASE, "EUR")
    mean = abs(float(one.mean))
    for share, place in ((0.0, 1), (0.0009, 1), (0.0011, 0)):
        both = [UncertainMoney(one.samples + share * mean, "EUR"), one]
        assert preferred(both, [CASCADE, "a"], aversion=0.0, expected="") == place


def test_what_worth_cannot_tell_apart_log_loss_does() -> None:
    model, unclear, clear = profit(0.0, 0.0), profit(-0.5), profit(-3.0)
    for cascade, place in ((unclear, 1), (clear, 0)):
        both: Any = ([model, cascade], ["a", CASCADE])
        assert preferred(*both, aversion=0.0, expected="", surer=[0]) == place
        assert preferred(*both, aversion=0.0, expected="", surer=[]) == 0
        assert preferred(*both, aversion=0.0, expected="a", surer=[0]) == 0


def test_a_single_model_needs_no_clear_lead_over_another() -> None:
    profits = [profit(0.0, 0.0), profit(0.5)]
    assert preferred(profits, ["a", "b"], aversion=0.0, expected="") == 1


def test_it_is_held_against_the_usual_one_where_that_is_taken() -> None:
    usual, better, cascade = profit(0.0, 0.0), profit(0.2), profit(5.0)
    recipes = ["named-head", "lora", CASCADE]
    assert preferred([usual, better, cascade], recipes, aversion=0.0, expected="named-head") == 2
    same = [usual, better, UncertainMoney(usual.samples, "EUR")]
    assert preferred(same, recipes, aversion=0.0, expected="named-head") == 0
    unclear = [usual, better, profit(0.5)]
    assert preferred(unclear, recipes, aversion=0.0, expected="named-head") == 0
    assert preferred(unclear, recipes, aversion=0.0, expected="") == 2


def test_who_fears_loss_looks_at_the_worst_worlds_too() -> None:
    risky = UncertainMoney(np.where(np.arange(4000) < 60, -5000.0, BASE + 90.0), "EUR")
    both = [profit(0.0, 0.0), risky]
    assert preferred(both, ["a", CASCADE], aversion=0.0, expected="") == 1
    assert preferred(both, ["a", CASCADE], aversion=5.0, expected="") == 0


def test_risk_is_weighed_against_the_mean() -> None:
    sure, bold = profit(0.0, 0.0), UncertainMoney(130.0 + 4.0 * (BASE - 100.0), "EUR")
    assert foremost([sure, bold], 0.0) == 1
    tails = [np.sort(one.samples)[:200].mean() for one in (sure, bold)]
    means = [one.samples.mean() for one in (sure, bold)]
    for aversion in (0.05, 0.2, 1.0):
        worth = [mean + aversion * tail for mean, tail in zip(means, tails, strict=True)]
        assert foremost([sure, bold], aversion) == int(np.argmax(worth))
    assert foremost([sure, sure], 0.5) == 0, "of equals the first"


@pytest.mark.parametrize(
    ("each", "more", "compared", "expected"),
    [
        (10, ("a text",), ["contrastive", "distil-encoder"], "distil-encoder"),
        (10, ("a text",), ["contrastive"], "contrastive"),
        (10, (), ["contrastive", "distil-encoder"], "contrastive"),
        (2, (), ["named-head"], "named-head"),
        (21, ("a text",), ["fine-tune", "distil-encoder"], ""),
    ],
)
def test_a_student_is_expected_where_it_had_texts_and_time(
    each: int, more: tuple[str, ...], compared: list[str], expected: str, tmp_path: Path
) -> None:
    texts = tuple(f"text {i}" for i in range(2 * each))
    rows = np.arange(len(texts))
    bench = Workbench(texts, rows % 2, ("no", "yes"), rows, rows[:0], (), tmp_path, unlabelled=more)
    assert expected_recipe(bench, compared) == expected
