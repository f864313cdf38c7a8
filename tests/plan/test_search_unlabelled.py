"""A search with few labels, and texts without any."""

from __future__ import annotations

from pathlib import Path

from tests.plan.conftest import dataset_of

from payoff.economics.desk import load
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.kept import Kept
from payoff.plan.search import search

RECIPES = ("named-head", "contrastive", "distil-encoder")


def test_a_student_is_tried_and_expected(
    worth: Payoff, backbones: tuple[str, str], runs: Path
) -> None:
    few, more = dataset_of([24, 22, 22, 20]), dataset_of([30] * 4, seed=1)
    plan = search(
        few,
        worth,
        traffic=Traffic(40_000),
        minutes=3,
        runs=runs,
        backbones=backbones,
        only=RECIPES,
        unlabelled=more.texts,
    )
    tried = [one["candidate"] for one in plan.summary["timeline"]]
    assert "taught by contrastive" in tried[-1], "after its teacher, and all others"
    assert {row["recipe"] for row in plan.table if row["precision"]} == {*RECIPES}
    assert Kept.read(plan.folder).expected == "distil-encoder"
    with load(plan.artifact) as desk:
        assert desk.decide(few.texts[0]).action in (*few.labels, "handoff")
