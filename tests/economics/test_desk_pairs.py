"""A desk that decides on pairs of texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.economics.pair_artifact import pair_artifact

from payoff.core.errors import DataError
from payoff.economics.desk import load


def test_both_texts_count(tmp_path: Path) -> None:
    with load(pair_artifact(tmp_path)) as desk:
        assert desk.reads_pairs
        assert desk.decide("good", pair="day").action == "good"
        assert desk.decide("a day", pair="that is bad").action == "bad"
        assert desk.decide("good").action == "good"
        several = desk.decide_many(["good", "", "good"], pairs=["", "bad", "bad"])
        assert [one.label for one in several[:2]] == ["good", "bad"]
        assert several[2].action == "handoff"
        assert desk.decide_many(["good\x1f", "\x1fbad"])[:2] == several[:2]


def test_what_cannot_be_decided_is_told(tmp_path: Path, repository: Path) -> None:
    with load(pair_artifact(tmp_path)) as desk:
        with pytest.raises(DataError, match=r"PF105 text: it is empty"):
            desk.decide(" ", pair="")
        with pytest.raises(DataError, match=r"PF105 text 2: it holds U\+001F"):
            desk.decide_many(["a", "b"], pairs=["c", "d\x1f"])
        with pytest.raises(DataError, match=r"PF112 pairs: 2 texts and 1 second texts"):
            desk.decide_many(["a", "b"], pairs=["c"])
        with pytest.raises(DataError, match=r"PF105"):
            desk.decide("a", pair="b\0")
    with (
        load(repository / "tests/artifact/frozen/format-1.zip") as desk,
        pytest.raises(DataError, match=r"PF105 pair: .* was trained on single texts"),
    ):
        desk.decide("a", pair="b")
