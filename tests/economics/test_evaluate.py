from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars
import pytest

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.economics.desk import Desk, load
from payoff.economics.evaluate import evaluate

FROZEN = "tests/artifact/frozen/format-1.zip"
ROWS = [
    ("someone took my card", "card"),
    ("where is my refund?", "refund"),
    ("charged twice", "card"),  # acted on wrongly
    ("hello", "billing"),  # handed over
    ("我要退款", "refund"),
]


@pytest.fixture
def desk(repository: Path) -> Desk:
    return load(repository / FROZEN, threads=1)


def dataset(rows: list[tuple[str, str]]) -> Dataset:
    frame = polars.DataFrame(rows, schema=["text", "label"], orient="row")
    return Dataset.from_frame(frame, text="text", label="label")


def test_money_restated_by_hand(desk: Desk) -> None:
    found = evaluate(desk, dataset(ROWS), seconds=0)
    # right three times (3.2), wrong once (−7.5), handed over once (−1)
    assert found.profit_per_1000 == pytest.approx((3 * 3.2 - 7.5 - 1) / 5 * 1000)
    # the most probable label of "hello" is billing, which is right
    assert found.argmax_profit_per_1000 == pytest.approx((4 * 3.2 - 7.5) / 5 * 1000)
    assert found.automated_share == pytest.approx(0.8)
    assert found.accuracy_automated == pytest.approx(0.75)
    assert found.quality.accuracy == pytest.approx(0.8)
    assert found.quality.n == 5
    assert found.latency is None
    assert found.currency == "USD"


def test_as_dict_is_json_and_tells_what_was_not_measured(desk: Desk) -> None:
    plain = json.loads(json.dumps(evaluate(desk, dataset(ROWS), seconds=0).as_dict()))
    assert plain["latency_p50_ms"] is None
    assert plain["texts_per_s"] is None
    assert plain["accuracy"] == pytest.approx(0.8)
    money = plain["profit_per_1000"]
    assert money["low"] <= money["amount"] <= money["high"]
    assert money["currency"] == "USD"
    gain = plain["gain_over_argmax_per_1000"]
    assert gain["amount"] == pytest.approx(-4.2 / 5 * 1000)
    timed = evaluate(desk, dataset(ROWS), seconds=0.01).as_dict()
    assert timed["latency_p95_ms"] >= timed["latency_p50_ms"] > 0
    assert timed["size_bytes"] == desk.artifact.size_bytes


def test_intervals_hold_the_known_mean_of_many_rows(desk: Desk) -> None:
    many = dataset(ROWS * 100)
    found = evaluate(desk, many, seconds=0)
    low, high = found.profit_interval
    deviation = np.array([3.2, 3.2, -7.5, -1.0, 3.2]).std() * 1000 / np.sqrt(500)
    assert high - low == pytest.approx(2 * 1.645 * deviation, rel=0.1)
    assert low < found.profit_per_1000 < high
    assert evaluate(desk, many, seconds=0).profit_interval == found.profit_interval
    assert evaluate(desk, many, seconds=0, seed=1).profit_interval != found.profit_interval


def test_one_row_and_nothing_automated(desk: Desk) -> None:
    found = evaluate(desk, dataset([("hello", "billing")]), seconds=0, repeat=5)
    assert found.accuracy_automated is None
    assert found.profit_interval == (-1000.0, -1000.0)
    assert found.quality.auc is None


def test_rows_that_cannot_be_evaluated(desk: Desk) -> None:
    with pytest.raises(DataError, match=r"PF104.*'refnd'.*Did you mean 'refund'"):
        evaluate(desk, dataset([("a", "refnd"), ("b", "card")]), seconds=0)
    with pytest.raises(DataError, match="PF106"):
        evaluate(desk, dataset(ROWS), repeat=0)
    frame = polars.DataFrame({"text": ["a"]})
    with pytest.raises(DataError, match="PF103"):
        evaluate(desk, Dataset.from_frame(frame, text="text"), seconds=0)


def test_pairs_are_not_evaluated_on_a_model_of_single_texts(desk: Desk) -> None:
    frame = polars.DataFrame({"a": ["hello"], "b": ["there"], "y": ["card"]})
    pairs = Dataset.from_frame(frame, text="a", pair="b", label="y")
    with pytest.raises(DataError, match=r"PF105 pair: .* was trained on single texts"):
        evaluate(desk, pairs, seconds=0)
