"""A study of the market: rows count as the labels to come, and asking models is paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import EconomicsError
from payoff.data.dataset import Dataset
from payoff.data.segments.segmentation import Segmentation
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.desk import load, policy_document
from payoff.economics.evaluate import evaluate
from payoff.economics.policy import Policy
from payoff.economics.traffic import Traffic
from payoff.plan.market.market_study import study_market
from payoff.plan.market.measured_service import MeasuredService, fixed_per_month

LABELS = ("bad", "good")
VALUES = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])
ENDS = np.array([-10.0, 10.0])
ASK_WHERE_UNKNOWN = Gain(np.eye(5)[0], np.zeros(2), -3.5, ENDS, ENDS, "linear")
CASCADE = CascadePolicy(("small", "large"), (0.01, 0.25), (ASK_WHERE_UNKNOWN,))
Open = Callable[..., MeasuredService]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """A service whose small model knows two words and whose large one knows two more."""

    def tier(name: str, words: list[str]) -> tuple[TierSpec, Path]:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        vectoriser = NgramVectoriser(words, [], [1.0] * len(words), word=(1, 1))
        scores = np.tile([[9.0, 0.0], [0.0, 9.0]], (len(words) // 2, 1))
        members = NgramRuntime(vectoriser, scores, [0.0, 0.0]).save(place)
        return TierSpec(name, "ngrams", members=members), place

    def _opened(cascade: CascadePolicy | None, **documents: Any) -> MeasuredService:
        policy = Policy(LABELS, VALUES, documents.pop("prior_shift", None))
        names = (("small", ["bad", "good"]), ("large", ["awful", "fine"]))
        tiers = [tier(*one) for one in (names if cascade else names[:1])]
        path = write_artifact(
            tmp_path / "tiny.payoff",
            name="tiny",
            labels=LABELS,
            tiers=tiers,
            calibrations=[Calibration(1.0)] * len(tiers),
            documents={"policy.json": policy_document(policy, "USD", cascade=cascade), **documents},
            seed=0,
            data_fingerprint="",
        )
        return MeasuredService.open(path)

    return _opened


def rows(*told: tuple[str, str, str]) -> Dataset:
    texts, labels, places = zip(*told, strict=True)
    table = pl.DataFrame({"text": texts, "label": labels, "place": places})
    return Dataset.from_frame(table, text="text", label="label", segment="place")


def studied(data: Dataset, **how: Any) -> dict[str, Any]:
    segmentation = Segmentation.by_column(data, "place")
    study = study_market(data, segmentation, traffic=Traffic(1000, 1000, 1000), **how)
    assert study.market is not None
    told = {one.name: one.as_dict() for one in study.market.segments}
    return told | {"notes": study.notes, "service": study.market.service_per_month}


EASY = [("bad", "bad", "easy"), ("good", "good", "easy")] * 20
HARD = [("awful", "bad", "hard"), ("fine", "good", "hard")] * 20


def test_asking_models_is_a_cost_of_the_segment_that_asks(opened: Open) -> None:
    told = studied(rows(*EASY, *HARD), service=opened(CASCADE))
    assert told["easy"]["serve_each"] == pytest.approx(0.01)
    assert told["hard"]["serve_each"] == pytest.approx(0.26)  # both models are asked
    for place, cost in (("easy", 0.01), ("hard", 0.26)):
        assert told[place]["value_each"] == pytest.approx(3.0)
        share = told[place]["requests_month"]
        assert told[place]["profit_month"]["mean"] == pytest.approx(share * (3.0 - cost), rel=0.01)


def test_machines_of_the_month_are_not_paid_a_second_time(opened: Open) -> None:
    waterfall = [
        {"name": "right answers", "amount": 900.0},
        {"name": "inference", "amount": -40.0},
        {"name": "api", "amount": -30.0},
        {"name": "profit", "amount": 830.0},
    ]
    costs = json.dumps({"forecast": {"waterfall": waterfall}, "lines": []}).encode()
    told = studied(rows(*EASY, *HARD), service=opened(CASCADE, **{"costs.json": json.loads(costs)}))
    assert told["hard"]["serve_each"] == 0.0
    assert told["service"] == 40.0  # an API is paid by the request, and none of the two is one


def test_evaluating_takes_off_what_asking_costs(opened: Open) -> None:
    desk = opened(CASCADE).desk
    measured = evaluate(desk, rows(*EASY, *HARD), repeat=10, seconds=0)
    assert measured.profit_per_1000 == pytest.approx(1000 * (3.0 - (0.01 + 0.26) / 2))
    assert load(desk.artifact.path).answered(["awful"]).costs.tolist() == [0.26]


# Three of four rows are "bad"; in the north they are handed over, and what is good is right.
MIXED = [("what", "bad", "north")] * 30 + [("good", "good", "north")] * 10
SOUTH = [("bad", "bad", "south")] * 30 + [("what", "good", "south")] * 10


def test_rows_count_as_the_mix_to_come_says(opened: Open) -> None:
    data, service = rows(*MIXED, *SOUTH), opened(None)
    plain = studied(data, service=service)
    assert plain["north"]["value_each"] == pytest.approx((-1 * 30 + 3 * 10) / 40)
    told = studied(data, service=service, expected_mix={"bad": 0.25, "good": 0.75})
    # "bad" counts a third of a row and "good" three: 30 / 3 to 10 · 3 in each of the places.
    assert told["north"]["value_each"] == pytest.approx((-1 * 10 + 3 * 30) / 40)
    assert told["south"]["value_each"] == pytest.approx((3 * 10 - 1 * 30) / 40)
    assert any("label shares of the requests to come" in note for note in told["notes"])
    assert told["north"]["profit_month"]["mean"] == pytest.approx(500 * 2.0, rel=0.1)


def test_sizes_follow_the_mix_where_worth_is_stated() -> None:
    data = rows(*[("a", "bad", "north")] * 40, *[("b", "good", "south")] * 40)
    told = studied(data, value_each=1.0, currency="USD", expected_mix={"bad": 0.2, "good": 0.8})
    assert told["north"]["requests_month"] == pytest.approx(200, rel=0.1)
    assert told["south"]["requests_month"] == pytest.approx(800, rel=0.1)


def test_a_service_brings_the_mix_it_was_made_for(opened: Open) -> None:
    shift = np.array([1 / 3, 3.0])
    told = studied(rows(*MIXED, *SOUTH), service=opened(None, prior_shift=shift))
    # What it does not know is then taken for "good": wrong in the north, right in the south.
    assert told["north"]["value_each"] == pytest.approx((-7 * 10 + 3 * 30) / 40)
    assert told["south"]["value_each"] == pytest.approx(3.0)


def test_a_mix_of_other_labels_is_told(opened: Open) -> None:
    with pytest.raises(EconomicsError, match="PF612") as caught:
        studied(rows(*EASY, *HARD), service=opened(None), expected_mix={"bad": 1.0})
    assert "good" in caught.value.found


def test_what_nobody_answers_is_no_cost_of_the_service() -> None:
    steps = [("right answers", 90.0), ("not answered", -30.0), ("inference", -5.0), ("api", -2.0)]
    assert fixed_per_month(steps, asked_apart=False) == pytest.approx(7.0)
    assert fixed_per_month(steps, asked_apart=True) == pytest.approx(5.0)
