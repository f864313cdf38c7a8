"""What a prompted tier refuses; what it computes is held against torch in tests/adapt/export."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.artifact.runtime import Runtime, open_tier, prompted
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError

from ..conftest import build_onnx

TEXTS = ["where is my card?", "退款", "", "a car", "my card is lost", "b cat"]


def opened(folder: Path, *, n_labels: int | None = 3) -> Runtime:
    spec = TierSpec("tiny", "prompted")
    return open_tier(spec, lambda m: (folder / m).read_bytes(), n_labels=n_labels, threads=1)


@pytest.fixture
def copied(prompted_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prompted_folder, tmp_path / "tier"))


def change(folder: Path, **changes: Any) -> None:
    path = folder / "prompt.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def test_scores_are_log_probabilities(prompted_folder: Path) -> None:
    runtime = opened(prompted_folder)
    scores = runtime.logits(TEXTS)
    assert scores.shape == (6, 3)
    assert (scores < 0).all()
    assert (np.exp(scores).sum(axis=1) <= 1).all()
    assert runtime.logits([]).shape == (0, 3)
    assert runtime.logits([]).dtype == np.float32


def test_a_text_scores_the_same_in_any_company_and_from_many_threads(
    prompted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = opened(prompted_folder)
    whole = runtime.logits(TEXTS * 3)
    np.testing.assert_allclose(whole[:6], whole[6:12], atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(runtime.logits, [TEXTS] * 8):
            np.testing.assert_allclose(scores, whole[:6], atol=1e-5)
    monkeypatch.setattr(prompted, "BATCH_SCORES", 1)
    np.testing.assert_allclose(opened(prompted_folder).logits(TEXTS * 3), whole, atol=1e-5)


def test_a_long_text_is_cut(prompted_folder: Path) -> None:
    runtime = opened(prompted_folder)
    long = runtime.logits(["z" * 32, "z" * 33, "z" * 10_000])
    np.testing.assert_allclose(long, np.tile(long[:1], (3, 1)), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": ["a", "b"], "prior": [0, 0]}, r"it has 2 labels \(expected 3\)"),
        ({"labels": ["a", "b", "c"], "prior": [0, 0]}, "2 numbers in 'prior'"),
        ({"prior": [0, 0, float("nan")]}, "'prior' holds nan"),
        ({"labels": ["a", "b", ""]}, "'labels' holds ''"),
        ({"before": "", "after": ""}, "nothing stands around the text"),
        ({"before": "\ud800"}, "has no tokens"),
        ({"labels": ["a", "b", "\ud800"]}, "has no tokens"),
    ],
)
def test_a_wrong_prompt(copied: Path, changes: dict[str, Any], told: str) -> None:
    change(copied, **changes)
    with pytest.raises(ArtifactError, match=rf"PF504 prompt.json: .*{told}"):
        opened(copied)


def test_a_label_that_its_tokenizer_cannot_say(copied: Path) -> None:
    tokenizer = json.loads((copied / "tokenizer.json").read_text("utf-8"))
    del tokenizer["model"]["vocab"]["Z"]
    (copied / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    with pytest.raises(ArtifactError, match=r"PF504 prompt.json: label 'Z' has no token"):
        opened(copied)


def test_a_wrong_graph_or_tokenizer(copied: Path) -> None:
    whole = (copied / "tokenizer.json").read_bytes()
    (copied / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': tokenizer.json"):
        opened(copied)
    tokenizer = json.loads(whole)
    tokenizer["added_tokens"].append(tokenizer["added_tokens"][0] | {"id": 264, "content": "<x>"})
    (copied / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    with pytest.raises(ArtifactError, match=r"PF504 tokenizer.json: it gives ids up to 264"):
        opened(copied)
    build_onnx(copied / "model.onnx")
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': the graph takes"):
        opened(copied)
    (copied / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"PF504.*model.onnx"):
        opened(copied)


def test_unusable_texts(prompted_folder: Path) -> None:
    with pytest.raises(DataError, match="PF105 text 2"):
        opened(prompted_folder).logits(["a", "\0"])
    with pytest.raises(DataError, match="PF105"):
        opened(prompted_folder).logits("a card")
