"""Segments over HTTP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.economics.pair_artifact import LABELS, VALUES, pair_artifact
from tests.serve.conftest import answering

from payoff.artifact.artifact import Artifact
from payoff.economics.desk import Desk
from payoff.economics.policy import Policy
from payoff.learn.journal import Journal
from payoff.serve.app import create_app


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    general = VALUES
    vip = {"vip": np.array([[3.0, -700.0, -1.0], [-700.0, 3.0, -1.0]])}
    policy = Policy(LABELS, general, segment_values=vip)
    return Desk(Artifact.open(pair_artifact(tmp_path)), policy, "USD")


def test_customers_of_a_segment_are_decided_by_what_they_are_worth(
    desk: Desk, tmp_path: Path
) -> None:
    with (
        Journal.open(tmp_path / "segments.db") as journal,
        answering(create_app(desk, journal=journal)) as client,
    ):
        asked = {"text": "good", "segment": "vip", "request_id": "r"}
        one = client.post("/v1/decide", json=asked).json()["decision"]
        assert (one["action"], one["segment"]) == ("handoff", "vip")
        several = {"texts": ["good", "good", "bad"], "segments": ["vip", None, "free"]}
        told = client.post("/v1/decide", json=several).json()["decisions"]
        assert [d["action"] for d in told] == ["handoff", "good", "bad"]
        assert "segment" not in told[1]
        assert client.post("/v1/decide", json=asked).status_code == 200
        assert client.post("/v1/decide", json={**asked, "segment": "free"}).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"text": "a", "segments": ["vip"]},
        {"texts": ["a"], "segment": "vip"},
        {"texts": ["a", "b"], "segments": ["vip"]},
        {"text": "a", "segment": 1},
    ],
)
def test_bodies_whose_segments_do_not_fit(body: dict[str, object], desk: Desk) -> None:
    with answering(create_app(desk)) as client:
        told = client.post("/v1/decide", json=body)
        assert (told.status_code, told.json()["error"]["code"]) == (422, "PF701")
