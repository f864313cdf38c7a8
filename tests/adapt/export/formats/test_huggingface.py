"""The folder is loaded by transformers itself, and answers as the artifact does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from tests.adapt.export.formats.conftest import LABELS, Compared

from payoff.adapt.compress.int8 import Int8
from payoff.adapt.engine.adaptations.bottleneck import Bottleneck
from payoff.adapt.engine.architectures import load as load_encoder
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.export.formats.huggingface import HuggingFace
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

EVIDENCE = {"quality": {"accuracy": 0.91, "macro_f1": 0.875, "auc": None, "n": 100}}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where transformers copies a folder's code to."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )


def exported(artifact: Path, out: Path) -> Written:
    with Artifact.open(artifact) as opened:
        return HuggingFace().write(opened, out, options={})


def said(folder: Path, texts: list[str], **more: Any) -> np.ndarray:
    """What the pipeline of transformers says."""
    import transformers

    classify = transformers.pipeline(
        "text-classification", str(folder), trust_remote_code=True, truncation=True
    )
    rows = classify(texts, top_k=None, batch_size=8, **more)
    scores = [{one["label"]: one["score"] for one in row} for row in rows]
    return np.array([[row[label] for label in LABELS] for row in scores])


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("bert", {}),
        ("bert", {"calibration": "vector", "prefix": "query: "}),
        ("mpnet", {"max_tokens": 10}),
    ],
)
def test_a_pipeline_gives_the_artifacts_probabilities(
    kind: str,
    settings: dict[str, Any],
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(kind, **settings)
    written = exported(artifact, tmp_path / "out")
    found = compare(artifact, texts, said(written.path, texts))
    assert found.difference < 1e-5
    assert found.flipped == 0
    assert not any("calibration" in note for note in written.notes)


def test_curves_are_left_out_and_said_to_be(
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(calibration="isotonic")
    written = exported(artifact, tmp_path / "out")
    assert any("calibration (isotonic) is no part" in note for note in written.notes)
    found = compare(artifact, texts, said(written.path, texts))
    assert found.difference > 0.01


@pytest.mark.parametrize("kind", ["bert"])
def test_rounded_weights_come_back_as_they_are_meant(
    kind: str,
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(kind, compress=Int8().compress)
    written = exported(artifact, tmp_path / "out")
    assert any("8 bits" in note for note in written.notes)
    found = compare(artifact, texts, said(written.path, texts))
    assert 0 < found.difference < 0.1
    assert found.flipped <= 0.05 * found.n


def test_the_card_is_read_by_the_hubs_own_library(
    make_artifact: Callable[..., Path], tmp_path: Path
) -> None:
    card = "# desk\n\nIt earns 3 a day.\n"
    artifact = make_artifact(
        documents={"card.md": card, "evidence.json": EVIDENCE, "licences/MIT.txt": "free"}
    )
    written = exported(artifact, tmp_path / "out")
    read = ModelCard.load(written.path / "README.md")
    assert read.data.library_name == "transformers"
    assert read.data.pipeline_tag == "text-classification"
    metrics = {one.metric_type: one.metric_value for one in read.data.eval_results}
    assert metrics == {"accuracy": 0.91, "macro_f1": 0.875}
    assert "It earns 3 a day." in read.text
    assert "trust_remote_code" in read.text
    assert (written.path / "licences" / "MIT.txt").read_text() == "free"
    config = json.loads((written.path / "config.json").read_text("utf-8"))
    assert config["id2label"] == {str(i): label for i, label in enumerate(LABELS)}


def test_parts_that_the_folder_has_no_place_for_are_refused(
    make_artifact: Callable[..., Path], bert_folder: Path, tmp_path: Path
) -> None:
    def adapted(spec: TierSpec, tier: Path, target: Path) -> TierSpec:
        encoder = load_encoder(bert_folder)
        head = np.random.default_rng(0).normal(size=(4, encoder.shape.width))
        classifier = Classifier(encoder, 1, head, np.zeros(4), adaptation=Bottleneck(4))
        target.mkdir()
        layers = [*encoder.layers[:1], *classifier.own_layers()]
        write_onnx(encoder, layers, classifier.head, target / "model.onnx", max_tokens=48)
        (target / "tokenizer.json").write_bytes((tier / "tokenizer.json").read_bytes())
        return spec

    artifact = make_artifact(compress=adapted)
    with pytest.raises(ArtifactError, match="PF506") as told:
        exported(artifact, tmp_path / "out")
    assert "adapter" in str(told.value)
    assert "onnx" in told.value.mend
    assert not (tmp_path / "out").exists()


def test_weights_that_answer_otherwise_are_not_written(
    make_artifact: Callable[..., Path], tmp_path: Path
) -> None:
    """A graph of the same names that computes something else: attention left out of one layer."""
    import onnx

    def changed(spec: TierSpec, tier: Path, target: Path) -> TierSpec:
        target.mkdir()
        model = onnx.load(tier / "model.onnx")
        for node in model.graph.node:
            if node.output[0] == "layers.1.mixed":
                node.input[0] = "layers.0.norm.out"
        onnx.save(model, target / "model.onnx")
        (target / "tokenizer.json").write_bytes((tier / "tokenizer.json").read_bytes())
        return spec

    with pytest.raises(ArtifactError, match=r"PF506 .* apart"):
        exported(make_artifact(compress=changed), tmp_path / "out")
    assert not (tmp_path / "out").exists()
