"""Segments whose requests are worth something else, from the data to the report and the what-if."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.plan.simulated_run import kept_apart, kept_of

from payoff.core.errors import ProjectError
from payoff.data.dataset import Dataset
from payoff.economics.desk import load
from payoff.economics.payoff import Payoff
from payoff.economics.segment_value import SegmentValue
from payoff.economics.traffic import Traffic
from payoff.plan.kept import Kept
from payoff.plan.plan import Plan
from payoff.plan.report.charts.market import market_rows
from payoff.plan.search import search
from payoff.plan.standing import Standing
from payoff.plan.terms import Terms
from payoff.plan.what_if import standing

WORTH = Payoff(3.0, -7.0, -2.0, currency="USD")
VIP = replace(WORTH, segments={"vip": SegmentValue(wrong=-70.0)})
TERMS = Terms(WORTH, Traffic(40_000, 30_000, 60_000), on=date(2026, 11, 22))


def halves(kept: Kept) -> Kept:
    """Every other row is a vip's."""
    own = {
        f"{part}_segments": np.where(np.arange(len(truth)) % 2 == 0, "vip", "free")
        for part, truth in (("validation", kept.validation_truth), ("test", kept.test_truth))
    }
    return replace(kept, **own)  # type: ignore[arg-type]


def earned(stands: Standing) -> float:
    return float(stands.forecast.profit.mean)


def test_what_is_kept_knows_the_segments(tmp_path: Path) -> None:
    kept = halves(kept_of(TERMS))
    kept.write(tmp_path)
    again = Kept.read(tmp_path)
    assert again.validation_segments is not None
    assert again.test_segments is not None
    assert again.validation_segments.tolist() == kept.validation_segments.tolist()  # type: ignore[union-attr]
    assert again.test_segments.tolist()[:2] == ["vip", "free"]
    kept_of(TERMS).write(tmp_path)
    assert Kept.read(tmp_path).test_segments is None


@pytest.mark.parametrize("made", [kept_of, partial(kept_apart, skills=(1.0, 1.1, 1.2))])
def test_dearer_errors_of_half_the_customers_lie_between_none_and_all(made: Any) -> None:
    kept = halves(made(TERMS))
    none, all_of_them = TERMS, replace(TERMS, payoff=replace(WORTH, wrong=-70.0))
    half = replace(TERMS, payoff=VIP)
    amounts = [earned(Standing.of(kept, terms)) for terms in (none, half, all_of_them)]
    assert amounts[0] > amounts[1] > amounts[2]
    same = replace(TERMS, payoff=replace(WORTH, segments={"vip": SegmentValue(wrong=-7.0)}))
    assert earned(Standing.of(kept, same)) == pytest.approx(amounts[0])


def test_people_only_is_worth_what_segments_say() -> None:
    kept = halves(kept_of(TERMS))
    worth = replace(WORTH, segments={"vip": SegmentValue(handoff=-4.0)})
    stands = Standing.of(kept, replace(TERMS, payoff=worth))
    people = next(one for one in stands.contenders if one.name == "people only")
    assert people.profit is not None
    requests = float(stands.worlds.requests.mean())
    assert float(people.profit.mean) == pytest.approx(-3.0 * requests, rel=0.02)


@pytest.fixture(scope="module")
def plan(
    requests: Dataset, backbones: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Plan:
    """A real search on requests of which every third is a vip's."""
    names = ["vip" if row % 3 == 0 else "free" for row in range(len(requests))]
    table = requests.frame.with_columns(pl.Series("plan", names))
    rows = Dataset.from_frame(table, text="text", label="label", segment="plan")
    return search(
        rows,
        VIP,
        traffic=TERMS.traffic,
        terms=TERMS,
        minutes=30,
        only=("bag-of-words",),
        runs=tmp_path_factory.mktemp("segments"),
        backbones=backbones,
    )


def test_the_report_tells_what_each_segment_earns(plan: Plan) -> None:
    market = plan.summary["market"]
    by_name = {one["name"]: one for one in market["market"]["segments"]}
    assert market["of"] == "column 'plan'"
    assert set(by_name) == {"vip", "free"}
    whole = market["market"]["whole_month"]["mean"]
    assert whole == pytest.approx(float(plan.forecast.profit.mean), rel=0.1)
    assert by_name["vip"]["automated_share"] < by_name["free"]["automated_share"]
    assert len(market_rows(plan.summary)) == 2
    page = plan.report.read_text("utf-8")
    assert "Which customers first?" in page
    assert "column &#39;plan&#39;" in page
    assert market["sentence"].startswith("Enter 'free'")


def test_the_artifact_and_a_what_if_know_them(plan: Plan) -> None:
    with load(plan.artifact) as desk:
        assert list(desk.policy.segment_values) == ["vip"]
        p = np.array([[0.9, 0.1, 0.0, 0.0]])
        assert desk.policy.decide(p, np.array(["vip"])).actions == 4
        assert desk.policy.decide(p, np.array(["free"])).actions == 0
    stands = standing(plan.folder, [])
    assert earned(stands) == pytest.approx(float(plan.forecast.profit.mean), rel=1e-4)
    dearer = standing(plan.folder, ["value.segments.vip.wrong=-700"])
    handed = [one.case.outcome.handed_over.sum() for one in (stands, dearer)]
    assert handed[1] > handed[0]
    with pytest.raises(ProjectError, match=r"PF203 .*segments: free, vip\). Did you mean 'vip'"):
        standing(plan.folder, ["value.segments.vop.wrong=-700"])
    toml = json.loads((plan.folder / "kept.json").read_text("utf-8"))["sections"]["value"]
    assert toml["segments"] == {"vip": {"wrong": -70.0}}


def test_segments_that_the_data_lack_are_told_before_training(requests: Dataset) -> None:
    with pytest.raises(ProjectError, match=r"PF203 .*no column of"):
        search(requests, VIP, traffic=TERMS.traffic, minutes=1)
