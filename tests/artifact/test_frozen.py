"""Artifacts of earlier formats load forever and decide as they did on the day they were made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from payoff.artifact.manifest import FORMAT
from payoff.economics.desk import load

FROZEN = sorted((Path(__file__).parent / "frozen").glob("*.zip"))


def test_every_format_has_one() -> None:
    assert [path.stem for path in FROZEN] == [f"format-{n}" for n in range(1, FORMAT + 1)]


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_decides_as_recorded(path: Path) -> None:
    recorded = json.loads(path.with_suffix(".json").read_text("utf-8"))
    with load(path) as desk:
        decisions = [d.as_dict() for d in desk.decide_many([row["text"] for row in recorded])]
    for found, row in zip(decisions, recorded, strict=True):
        expected = row["decision"]
        assert found["action"] == expected["action"], row["text"]
        assert found["label"] == expected["label"]
        assert found["probability"] == pytest.approx(expected["probability"], abs=1e-5)
        assert found["worth"]["amount"] == pytest.approx(expected["worth"]["amount"], abs=1e-4)
        assert found["worth"]["currency"] == expected["worth"]["currency"]
    assert {d["action"] for d in decisions} == {"billing", "card", "handoff", "refund"}
