"""A cascade from a real search to the artifact: bag of words before a static table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.plan.conftest import dataset_of

import payoff.plan.search as searching
from payoff.artifact.artifact import Artifact
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.economics.desk import load
from payoff.economics.evaluate import evaluate
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.kept import Kept
from payoff.plan.plan import Plan
from payoff.plan.search import search
from payoff.plan.what_if import standing


class Said(Silent):
    """What a person was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def said() -> Said:
    return Said()


@pytest.fixture(scope="module")
def plan(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    said: Said,
    tmp_path_factory: pytest.TempPathFactory,
) -> Plan:
    """The cascade is taken whatever it earns: with so few rows it would not be clear."""

    def last(compared, terms, expected):  # type: ignore[no-untyped-def]
        assert isinstance(compared[-1], CascadeOption)
        return compared[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "best", last)
        return search(
            requests,
            worth,
            traffic=Traffic(40_000),
            minutes=30,
            runs=tmp_path_factory.mktemp("cascade"),
            backbones=backbones,
            only=("bag-of-words", "static-head"),
            progress=said,
        )


def test_its_models_are_trained_again_on_all_rows(plan: Plan, said: Said) -> None:
    told = [line for line in said.lines if line.startswith("training ") and " on all " in line]
    assert len(told) == 2
    card = Artifact.open(plan.artifact).read("card.md").decode("utf-8")
    n_learnt = plan.summary["split"]["train"] + plan.summary["split"]["validation"]
    assert f"learnt from {n_learnt:,} rows" in card


def test_it_is_saved_served_and_reported_alike(
    plan: Plan, requests: Dataset, tmp_path: Path
) -> None:
    section = plan.summary["cascade"]
    names = [tier["name"] for tier in section["tiers"]]
    assert plan.name == section["name"] == " → ".join(names)
    texts = [f"{text} please" for text in requests.texts[:50]]
    with load(plan.save(tmp_path / "desk.payoff")) as desk:
        assert [tier.name for tier in desk.artifact.tiers] == names
        decisions = desk.decide_many(texts)
        assert {decision.tier for decision in decisions} <= set(names)
        assert all(decision.cost is not None for decision in decisions)
    row = next(one for one in plan.table if one["status"] == "chosen")
    assert (row["name"], row["recipe"], row["split"]) == (plan.name, "cascade", "test")
    assert row["profit_month"] == section["profit_month"]
    assert row["latency_p95_ms"] == plan.evidence.latency.p95_ms  # type: ignore[union-attr]
    finding = next(one for one in plan.summary["findings"] if one["code"] == "PF622")
    assert finding["status"] in ("passed", "failed")
    footprint = plan.evidence.footprint
    assert footprint is not None
    assert footprint.peak_rss_bytes is not None
    alone = []
    for option in Kept.read(plan.folder).options:
        if option.name in names:
            assert option.evidence.footprint is not None
            alone.append(option.evidence.footprint.peak_rss_bytes or 0)
    assert max(alone) * 0.9 < footprint.peak_rss_bytes < sum(alone), "all in one process"
    assert not list(plan.folder.glob("trial*"))


def test_what_is_reported_is_what_the_artifact_does_with_the_test_rows(
    plan: Plan, requests: Dataset
) -> None:
    from payoff.plan.market.held_out import held_out

    with load(plan.artifact) as desk:
        rows = held_out(requests, None, desk.artifact.manifest)
        assert rows.certain
        told = evaluate(desk, requests.take(rows.rows), seconds=0)
    row = next(one for one in plan.table if one["status"] == "chosen")
    assert told.quality.accuracy == pytest.approx(row["accuracy"])
    assert told.automated_share == pytest.approx(row["automated_share"])
    assert told.profit_per_1000 == pytest.approx(1000 * row["value_each"])


def test_a_what_if_finds_the_same_cascade(plan: Plan) -> None:
    stands = standing(plan.folder)
    section = plan.summary["cascade"]
    assert stands.cascade["name"] == section["name"]
    assert stands.cascade["profit_month"] == pytest.approx(section["profit_month"])
    validated = section["validated"]["profit_month"]
    assert stands.cascade["validated"]["profit_month"] == pytest.approx(validated)
    shares = [tier["share"] for tier in section["tiers"]]
    assert [tier["share"] for tier in stands.cascade["tiers"]] == pytest.approx(shares)
    same = stands.contender(plan.name)
    assert same.profit is not None
    mean = section["profit_month"]["mean"]
    assert float(same.profit.mean) == pytest.approx(mean)


def test_the_report_draws_its_frontier(plan: Plan) -> None:
    page = plan.report.read_text("utf-8")
    assert "Several models in turn" in page
    assert "chosen: a cascade of 2" in page
    summary = json.loads((plan.folder / "summary.json").read_text("utf-8"))
    points = summary["cascade"]["points"]
    assert sum(point["chosen"] for point in points) == 1
    assert np.isfinite([point["worth"] for point in points]).all()


def test_one_option_says_that_there_is_no_cascade(worth: Payoff, tmp_path: Path) -> None:
    plan = search(
        dataset_of([40, 40, 40, 40]),
        worth,
        traffic=Traffic(40_000),
        minutes=5,
        runs=tmp_path,
        only=("bag-of-words",),
    )
    section = plan.summary["cascade"]
    assert section == {
        "chosen": False,
        "sentence": "No cascade was made: 1 model can be asked.",
    }
    assert section["sentence"] in plan.report.read_text("utf-8")
