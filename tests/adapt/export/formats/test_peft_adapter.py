"""The adapter is put on the plain backbone by peft itself, and both answer as the artifact does."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from tests.adapt.export.formats.conftest import Compared, said, telling_apart

from payoff.adapt.compress.int8 import Int8
from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.architectures import load as load_encoder
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.export.formats.peft_adapter import PeftAdapter
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, BackboneError

# peft asks transformers by a name that goes away in its next version.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

Compress = Callable[[TierSpec, Path, Path], TierSpec]


def exported(artifact: Path, out: Path, base: Path | str) -> Written:
    with Artifact.open(artifact) as opened:
        return PeftAdapter().write(opened, out, options={"base": str(base)})


def adapted(folder: Path, *, merged: bool = True, whole: bool = False) -> Compress:
    """Instead of compressing: layers from the second one on as if trained by LoRA, or whole."""

    def write(spec: TierSpec, tier: Path, target: Path) -> TierSpec:
        encoder = load_encoder(folder)
        target.mkdir()
        head = telling_apart(encoder, folder, target)
        low_rank = LowRank(3, 6.0, ("qkv", "down"))
        classifier = Classifier(
            encoder, 1, head.weight, head.bias, adaptation=None if whole else low_rank
        )
        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in classifier.layers.named_parameters():
                if "lora_" in name or (whole and name.endswith("up.weight")):
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        if not whole:
            (low_rank.merge if merged else low_rank.keep_apart)(classifier)
        layers = [*encoder.layers[:1], *classifier.own_layers()]
        path = target / "model.onnx"
        write_onnx(encoder, layers, classifier.head, path, max_tokens=48, apart=not merged)
        (target / "tokenizer.json").write_bytes((tier / "tokenizer.json").read_bytes())
        return spec

    return write


def in_this_process(folder: Path, texts: list[str]) -> np.ndarray:
    """Probabilities by the functions of example.py, without a new interpreter for each folder."""
    sys.path.insert(0, str(folder))
    try:
        parts = runpy.run_path(str(folder / "example.py"))
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("calibration", None)
    head = load_file(folder / "head.safetensors")
    with torch.inference_mode():
        vectors = parts["vectors"](texts)
        logits = torch.nn.functional.linear(vectors, head["weight"], head["bias"]).numpy()
    probabilities: np.ndarray = parts["calibrated"](logits, parts["SETTINGS"]["calibration"])
    return probabilities


def test_the_example_runs_by_itself(
    make_artifact: Callable[..., Path], bert_folder: Path, texts: list[str], tmp_path: Path
) -> None:
    artifact = make_artifact(compress=adapted(bert_folder))
    written = exported(artifact, tmp_path / "out", bert_folder)
    with Artifact.open(artifact, threads=1) as opened:
        expected = opened.probabilities(texts[:3])
    np.testing.assert_allclose(said(written.path, texts[:3]), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "merged", "calibration"),
    [("bert", True, "vector"), ("bert", False, "temperature"), ("mpnet", True, "temperature")],
)
def test_on_the_plain_backbone_it_answers_as_the_artifact_does(
    kind: str,
    merged: bool,
    calibration: str,
    make_artifact: Callable[..., Path],
    bert_folder: Path,
    mpnet_folder: Path,
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    folder = {"bert": bert_folder, "mpnet": mpnet_folder}[kind]
    artifact = make_artifact(kind, compress=adapted(folder, merged=merged), calibration=calibration)
    written = exported(artifact, tmp_path / "out", folder)
    config = json.loads((written.path / "adapter_config.json").read_text("utf-8"))
    assert config["r"] == config["lora_alpha"] == 3
    # Queries, keys, values and the last matrix, of the second of two layers.
    assert len(config["target_modules"]) == 4
    assert all(name.startswith("encoder.layer.1.") for name in config["target_modules"])
    found = compare(artifact, texts, in_this_process(written.path, texts))
    assert found.difference < 1e-4
    assert found.flipped == 0


def test_the_adapter_is_what_makes_the_difference(
    make_artifact: Callable[..., Path], bert_folder: Path, texts: list[str], tmp_path: Path
) -> None:
    import transformers
    from peft import PeftModel

    artifact = make_artifact(compress=adapted(bert_folder))
    written = exported(artifact, tmp_path / "out", bert_folder)
    encoder = PeftModel.from_pretrained(
        transformers.AutoModel.from_pretrained(bert_folder), written.path
    ).eval()
    ids = torch.arange(4, 20)[None]
    with torch.inference_mode():
        with_it = encoder(input_ids=ids).last_hidden_state
        with encoder.disable_adapter():
            without = encoder(input_ids=ids).last_hidden_state
    assert float((with_it - without).abs().max()) > 0.01
    card = ModelCard.load(written.path / "README.md")
    assert card.data.library_name == "peft"


def test_what_was_not_adapted_by_lora_is_refused(
    make_artifact: Callable[..., Path], bert_folder: Path, mpnet_folder: Path, tmp_path: Path
) -> None:
    def rounded(spec: TierSpec, tier: Path, target: Path) -> TierSpec:
        adapted(bert_folder)(spec, tier, target.parent / "between")
        return Int8().compress(spec, target.parent / "between", target)

    cases = {
        "only the head": (make_artifact(), bert_folder),
        "trained whole": (make_artifact(compress=adapted(bert_folder, whole=True)), bert_folder),
        "rounded": (make_artifact(compress=rounded), bert_folder),
        "words": (make_artifact(compress=adapted(bert_folder)), mpnet_folder),
    }
    for told, (artifact, base) in cases.items():
        with pytest.raises(ArtifactError, match="PF506") as error:
            exported(artifact, tmp_path / "out", base)
        assert told in str(error.value)
        assert "lora" in error.value.mend
    assert not (tmp_path / "out").exists()


def test_the_base_must_be_known(
    bert_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "cache"))
    for base, code in (("", "PF507"), ("minilm", "PF301"), ("minilm-l6", "PF303")):
        with pytest.raises((ArtifactError, BackboneError), match=code):
            exported(bert_artifact, tmp_path / "out", base)


def test_thin_matrices_are_those_that_were_added(rng_matrix: np.ndarray) -> None:
    from payoff.adapt.export.low_rank_difference import _thin

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40)) * 0.1, rng.normal(size=(30, 2)) * 0.1
    thin = _thin((rng_matrix + b @ a).astype(np.float32), rng_matrix, "x")
    assert thin is not None
    assert thin[0].shape == (2, 40)
    np.testing.assert_allclose(thin[1] @ thin[0], b @ a, atol=1e-6)
    assert _thin(rng_matrix, rng_matrix, "x") is None


@pytest.fixture
def rng_matrix() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(30, 40)).astype(np.float32)
