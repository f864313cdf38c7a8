"""Artifacts of tiny encoders, and what exports are held against."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from tests.adapt.tiny_backbones import messages
from tokenizers import Tokenizer

from payoff.adapt.engine.architectures import load as load_encoder
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.adapt.recipes.linear import LinearHead
from payoff.artifact.calibration import Calibration
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.economics.desk import load, policy_document
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

LABELS = ("billing", "card", "lost", "退款")
HALVED = ((0.0, 0.4, 1.0), (0.0, 0.3, 0.9))
CALIBRATIONS = {
    "temperature": Calibration(0.6),
    "vector": Calibration(0.8, "vector", scales=(1.1, 0.9, 1.0, 1.2), biases=(0.1, -0.2, 0.0, 0.3)),
    "isotonic": Calibration(0.7, "isotonic", curves=(HALVED,) * 4),
}


@dataclass(frozen=True)
class Compared:
    """How far an export is from its artifact."""

    difference: float
    flipped: int
    n: int


def said(folder: Path, texts: list[str]) -> NDArray[np.float64]:
    """What a folder's example.py prints, in an interpreter that sees no payoff."""
    alone = (
        "import sys, runpy; sys.modules['payoff'] = None; sys.argv = sys.argv[1:]; "
        "sys.path.insert(0, sys.argv[0].removesuffix('example.py')); "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", alone, folder / "example.py", *texts],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=folder.parent,
    )
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["text"] for row in rows] == texts
    for row in rows:
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
    return np.array([[row["probabilities"][label] for label in LABELS] for row in rows])


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """New texts, of both scripts and of many lengths."""
    own = messages([12] * 6, seed=5)[0] + messages([6] * 4, seed=6, chinese=True)[0]
    return [text for i, text in enumerate(own) for text in (text, text[: 5 + i])][:140]


def telling_apart(encoder: Encoder, folder: Path, place: Path) -> LinearHead:
    """A head whose answers differ: vectors of a random encoder hardly do, so they are whitened."""
    width = encoder.shape.width
    same = LinearHead(np.eye(width, dtype=np.float32), np.zeros(width, np.float32))
    write_onnx(encoder, list(encoder.layers), same, place / "vectors.onnx", max_tokens=48)
    session = onnxruntime.InferenceSession(str(place / "vectors.onnx"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    own = messages([30] * 6, seed=9)[0] + messages([20] * 4, seed=8, chinese=True)[0]
    rows = [np.array([tokenizer.encode(text).ids], np.int64) for text in own]
    vectors = np.concatenate(
        [
            session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0]
            for row in rows
        ]
    )
    mean = vectors.mean(0)
    _, sizes, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    weight = 2 * np.sqrt(len(own)) * directions[:4] / sizes[:4, None]
    return LinearHead(weight.astype(np.float32), (-weight @ mean).astype(np.float32))


@pytest.fixture(scope="session")
def make_artifact(
    tmp_path_factory: pytest.TempPathFactory, bert_folder: Path, mpnet_folder: Path
) -> Callable[..., Path]:
    """An artifact of a random encoder with a head that tells texts apart."""
    folders = {"bert": bert_folder, "mpnet": mpnet_folder}

    def make(
        kind: str = "bert",
        *,
        compress: Callable[[TierSpec, Path, Path], TierSpec] | None = None,
        calibration: str = "temperature",
        documents: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Path:
        place = tmp_path_factory.mktemp("exported")
        encoder = load_encoder(folders[kind])
        head = telling_apart(encoder, folders[kind], place)
        tier = place / "tier"
        tier.mkdir()
        write_onnx(encoder, list(encoder.layers), head, tier / "model.onnx", max_tokens=48)
        (tier / "tokenizer.json").write_bytes((folders[kind] / "tokenizer.json").read_bytes())
        told = {"max_tokens": 48, "max_pieces": 1, "prefix": "", "pad_id": 0, "outputs": "logits"}
        spec = TierSpec("tiny", "tokens", settings=told | settings)
        if compress is not None:
            spec, tier = compress(spec, tier, place / "small"), place / "small"
        worth = Payoff(correct=3.0, wrong=-7.0, handoff=-2.0, currency="USD")
        policy = policy_document(Policy.from_payoff(worth, LABELS), "USD")
        return write_artifact(
            place / "desk.payoff",
            name="desk",
            labels=LABELS,
            tiers=[(spec, tier)],
            calibrations=[CALIBRATIONS[calibration]],
            documents={"policy.json": policy} | (documents or {}),
            seed=0,
            data_fingerprint="0" * 64,
        )

    return make


@pytest.fixture(scope="session")
def bert_artifact(make_artifact: Callable[..., Path]) -> Path:
    return make_artifact()


@pytest.fixture
def compare() -> Callable[..., Compared]:
    """Probabilities of an export held against its artifact's, and the decisions beside them."""

    def _compare(artifact: Path, texts: Iterable[str], found: NDArray[Any]) -> Compared:
        with load(artifact, threads=1) as desk:
            expected = desk.probabilities(list(texts))
            assert found.shape == expected.shape
            before = desk.policy.decide(expected).names(desk.labels)
            after = desk.policy.decide(np.asarray(found, np.float64)).names(desk.labels)
        assert len(set(before)) > 1  # or no decision could flip
        flipped = sum(a != b for a, b in zip(before, after, strict=True))
        return Compared(float(np.abs(found - expected).max()), flipped, len(expected))

    return _compare
