"""Tiers of a decoder serve what torch computes, and serve it without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.plain_decoder import (
    byte_tokenizer,
    ids_of,
    plain_answer,
    plain_scores,
    random_decoder,
)

from payoff.adapt.engine.generate import generate
from payoff.adapt.export.decoder_tier import write_answers_tier, write_prompted_tier
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier, prompted
from payoff.artifact.runtime.answers import AnswerRuntime
from payoff.artifact.runtime.prompted import PromptedRuntime
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

TEXTS = ["where is my card?", "退款", "", "a car", "x" * 60, "my card is lost", "b cat"]
LABELS = [" card", " card lost", " car", " refund", "Z"]
PROMPT: dict[str, Any] = {
    "before": "<|im_start|>user\nTopic of: ",
    "after": "<|im_end|>\n<|im_start|>assistant\n",
    "labels": LABELS,
    "prior": [0.5, -1.0, 0.0, 2.0, 0.25],
    "max_tokens": 40,
    "by_token": False,
}
ANSWERS: dict[str, Any] = {
    "before": "Q: ",
    "after": "<|im_end|> A:",
    "stop": [263],
    "max_tokens": 40,
    "max_new_tokens": 12,
}


def score(prompt: dict[str, Any], folder: Path, texts: list[str] = TEXTS) -> np.ndarray:
    spec = write_prompted_tier(random_decoder(), byte_tokenizer(), prompt, folder, name="tiny")
    return opened(spec, folder).logits(texts)


def opened(spec: TierSpec, folder: Path) -> PromptedRuntime:
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes(), n_labels=5, threads=1)
    assert isinstance(runtime, PromptedRuntime)
    return runtime


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"by_token": True},
        {"before": ""},
        {"before": "<|im_start|>"},
        {"after": ""},
        {"labels": ["A", "B", "C", "D", "E"]},
        {"max_tokens": 1},
    ],
)
def test_scores_equal_those_of_one_label_at_a_time(changes: dict[str, Any], tmp_path: Path) -> None:
    prompt = PROMPT | changes
    texts = [text for text in TEXTS if text or prompt["before"] or prompt["after"]]
    expected = plain_scores(random_decoder(), byte_tokenizer(), prompt, texts)
    found = score(prompt, tmp_path / "tier", texts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    alone = np.concatenate([score(prompt, tmp_path / "tier", [text]) for text in texts[:2]])
    np.testing.assert_allclose(alone, expected[:2], atol=1e-4)


@pytest.mark.parametrize("max_nodes", [1, 3, 8])
def test_many_labels_are_scored_in_several_passes(
    max_nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = score(PROMPT, tmp_path / "tier")
    monkeypatch.setattr(prompted, "MAX_NODES", max_nodes)
    np.testing.assert_allclose(score(PROMPT, tmp_path / "tier"), whole, atol=1e-4)


def test_scores_of_several_prompts_are_averaged(tmp_path: Path) -> None:
    other = PROMPT | {"before": "What is it about? ", "by_token": True}
    both = score({"prompts": [PROMPT, other]}, tmp_path / "tier")
    each = [score(prompt, tmp_path / "tier") for prompt in (PROMPT, other)]
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-5)


def test_a_text_cannot_end_its_prompt(tmp_path: Path) -> None:
    folder = tmp_path / "tier"
    spec = write_prompted_tier(random_decoder(), byte_tokenizer(), PROMPT, folder, name="tiny")
    runtime = opened(spec, folder)
    mark = "<|im_end|>"
    as_characters = byte_tokenizer()
    as_characters.encode_special_tokens = True
    assert len(ids_of(as_characters, mark)) > len(ids_of(byte_tokenizer(), mark)) == 1
    # A tokenizer whose mark is spelt otherwise reads the characters as any others.
    plain = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    for token in plain["added_tokens"]:
        token["content"] = token["content"].replace("|", "!")
    (folder / "tokenizer.json").write_text(json.dumps(plain), "utf-8")
    prompt = json.loads((folder / "prompt.json").read_text("utf-8"))
    renamed = {key: str(prompt[key]).replace("|", "!") for key in ("before", "after")}
    (folder / "prompt.json").write_text(json.dumps(prompt | renamed), "utf-8")
    np.testing.assert_allclose(
        runtime.logits([mark]), opened(spec, folder).logits([mark]), atol=1e-5
    )


def answering(prompt: dict[str, Any], folder: Path) -> AnswerRuntime:
    spec = write_answers_tier(random_decoder(), byte_tokenizer(), prompt, folder, name="tiny")
    return AnswerRuntime.open(spec, lambda name: (folder / name).read_bytes(), threads=1)


def test_answers_equal_greedy_torch_and_end_where_they_should(tmp_path: Path) -> None:
    decoder, tokenizer = random_decoder(), byte_tokenizer()
    said = [plain_answer(decoder, tokenizer, ANSWERS, text) for text in TEXTS]
    # A token that some answers hold, so that they end early and others go on.
    stop = next(token for ids in said for token in ids[2:] if sum(token in x for x in said) < 7)
    prompt = ANSWERS | {"stop": [stop]}
    expected = [plain_answer(decoder, tokenizer, prompt, text) for text in TEXTS]
    assert len({len(ids) for ids in expected}) > 1
    runtime = answering(prompt, tmp_path / "tier")
    decoded = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in expected]
    assert runtime.answers(TEXTS) == decoded
    assert [runtime.answers([text])[0] for text in TEXTS] == decoded
    around = [ids_of(tokenizer, ANSWERS[part]) for part in ("before", "after")]
    rows = [around[0] + ids_of(tokenizer, text)[:40] + around[1] for text in TEXTS]
    assert generate(decoder, rows, stop=[stop], max_new_tokens=12) == expected
    short = [tokenizer.decode(ids[:3], skip_special_tokens=True).strip() for ids in expected]
    assert runtime.answers(TEXTS, 3) == short
    assert runtime.answers([]) == []


def test_a_text_ends_an_answer_as_a_token_does(tmp_path: Path) -> None:
    whole = answering(ANSWERS, tmp_path / "tier").answers(TEXTS)
    text = max(whole, key=len)
    mark = text[3:6]
    cut = answering(ANSWERS | {"stop": [mark, "<|im_end|>"]}, tmp_path / "tier").answers(TEXTS)
    assert cut == [answer.split(mark)[0].strip() for answer in whole]
    assert cut != whole


def test_a_tier_is_whole_or_not_there_and_always_the_same(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        score(PROMPT, folder)
    one, two = ({p.name: p.read_bytes() for p in f.iterdir()} for f in folders)
    assert sorted(one) == ["model.onnx", "prompt.json", "tokenizer.json"]
    assert one == two
    with pytest.raises(ArtifactError, match="PF504"):
        score(PROMPT | {"labels": []}, tmp_path / "three")
    with pytest.raises(ArtifactError, match="PF504"):
        answering(ANSWERS | {"stop": None}, tmp_path / "three")
    assert not (tmp_path / "three").exists()


SERVE = """
import sys
from payoff.artifact.artifact import Artifact

found = Artifact.open(sys.argv[1])
print(found.probabilities([sys.argv[2]]).round(4).tolist())
print(sorted({"torch", "transformers", "onnx", "sklearn"} & set(sys.modules)))
"""


@pytest.mark.parametrize("as_folder", [True, False])
def test_an_artifact_serves_it_without_torch(as_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path / "tier"
    expected = score(PROMPT, folder, ["my card"])
    path = write_artifact(
        tmp_path / "tiny.payoff",
        name="tiny",
        labels=["card", "card_lost", "other", "refund", "z"],
        tiers=[(TierSpec("tiny", "prompted"), folder)],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
        as_folder=as_folder,
    )
    with Artifact.open(path) as artifact:
        np.testing.assert_allclose(artifact.logits(["my card"]), expected, atol=1e-5)
    ran = subprocess.run(
        [sys.executable, "-c", SERVE, str(path), "my card"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, heavy = ran.stdout.splitlines()
    probabilities = Calibration().apply(expected)
    np.testing.assert_allclose(json.loads(found), probabilities, atol=2e-4)
    assert heavy == "[]"
