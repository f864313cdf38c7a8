"""What an answering tier refuses; what it says is held against torch in tests/adapt/export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from payoff.artifact.runtime import answers, open_tier
from payoff.artifact.runtime.answers import AnswerRuntime
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError

SPEC = TierSpec("tiny", "answers")
TEXTS = ["where is my card?", "退款", "", "a car", "my card is lost", "b cat", "c cat", "d cat"]


def opened(folder: Path) -> AnswerRuntime:
    return AnswerRuntime.open(SPEC, lambda m: (folder / m).read_bytes(), threads=1)


@pytest.fixture
def copied(answers_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(answers_folder, tmp_path / "tier"))


def change(folder: Path, **changes: Any) -> None:
    path = folder / "prompt.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def test_answers_do_not_depend_on_company(
    answers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = opened(answers_folder)
    together = runtime.answers(TEXTS)
    assert together == [runtime.answers([text])[0] for text in TEXTS]
    assert any(together)
    monkeypatch.setattr(answers, "BATCH_TEXTS", 2)
    assert opened(answers_folder).answers(TEXTS) == together
    assert runtime.answers([]) == []


def test_nothing_stands_before_a_text(copied: Path) -> None:
    change(copied, before="")
    assert len(opened(copied).answers(TEXTS)) == len(TEXTS)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stop": [264]}, r"'stop' holds 264 \(expected a token below 264\)"),
        ({"stop": []}, "'stop' is empty"),
        ({"before": "", "after": ""}, "nothing stands around the text"),
        ({"labels": []}, "unknown keys 'labels'"),
    ],
)
def test_a_wrong_prompt(copied: Path, changes: dict[str, Any], told: str) -> None:
    change(copied, **changes)
    with pytest.raises(ArtifactError, match=rf"PF504 prompt.json: .*{told}"):
        opened(copied)


def test_it_scores_no_labels(answers_folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': it gives answers"):
        open_tier(SPEC, lambda m: (answers_folder / m).read_bytes())


def test_unusable_texts(answers_folder: Path) -> None:
    with pytest.raises(DataError, match="PF105 text 1"):
        opened(answers_folder).answers(["\0"])
