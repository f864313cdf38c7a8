"""Pairs over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.economics.pair_artifact import pair_artifact
from tests.serve.conftest import answering

from payoff.economics.desk import load
from payoff.learn.entry import text_hash
from payoff.learn.journal import Journal
from payoff.serve.app import create_app


def test_pairs_are_decided_and_written_down(tmp_path: Path) -> None:
    with (
        load(pair_artifact(tmp_path), threads=1) as desk,
        Journal.open(tmp_path / "pairs.db") as journal,
        answering(create_app(desk, journal=journal)) as client,
    ):
        one = client.post("/v1/decide", json={"text": "a day", "pair": "bad", "request_id": "r"})
        assert one.json()["decision"]["action"] == "bad"
        two = client.post("/v1/decide", json={"texts": ["good", "a"], "pairs": ["b", "bad"]})
        assert [d["action"] for d in two.json()["decisions"]] == ["good", "bad"]
        again = {"text": "a day", "pair": "good", "request_id": "r"}
        assert client.post("/v1/decide", json=again).status_code == 409
        assert text_hash("a day\x1fbad") != text_hash("a day\x1fgood")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": "a", "pairs": ["b"]}, 422, "PF701"),
        ({"text": "a", "pairs": []}, 422, "PF701"),
        ({"texts": ["a"], "pair": "b"}, 422, "PF701"),
        ({"texts": ["a", "b"], "pairs": ["c"]}, 422, "PF701"),
        ({"text": "a", "pair": 1}, 422, "PF701"),
        ({"text": "a", "pair": "b\x1f"}, 422, "PF105"),
    ],
)
def test_bodies_that_are_no_pairs(
    body: dict[str, object], status: int, code: str, tmp_path: Path
) -> None:
    with (
        load(pair_artifact(tmp_path), threads=1) as desk,
        answering(create_app(desk)) as client,
    ):
        told = client.post("/v1/decide", json=body)
        assert (told.status_code, told.json()["error"]["code"]) == (status, code)


def test_a_model_of_single_texts_says_so(serve: Callable[..., httpx.Client]) -> None:
    told = serve().post("/v1/decide", json={"text": "a", "pair": "b"})
    assert (told.status_code, told.json()["error"]["code"]) == (422, "PF105")
