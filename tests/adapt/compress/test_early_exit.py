"""A model in two parts answers as its parts do, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by
from payoff.adapt.compress.early_exit import AGREED, EarlyExit, fitted
from payoff.adapt.export.tokens_tier import write_encoder_tier
from payoff.adapt.recipes.linear import fit_logistic
from payoff.artifact.runtime import open_tier
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, ArtifactError

Tier = tuple[TierSpec, Path, list[str]]


def answers(spec: TierSpec, folder: Path, texts: list[str]) -> np.ndarray:
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes(), threads=1)
    return runtime.logits(texts)


def with_confidence(spec: TierSpec, confidence: float) -> TierSpec:
    return replace(spec, settings={**spec.settings, "exit": confidence})


def test_below_every_confidence_it_is_the_whole_model(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = EarlyExit().compress(spec, folder, tmp_path / "two", texts=texts)
    assert small.members == ("model.onnx", "tokenizer.json", "rest.onnx")
    whole = answers(spec, folder, texts)
    asked = answers(with_confidence(small, 1.0), tmp_path / "two", texts)
    np.testing.assert_allclose(asked, whole, atol=2e-5)


def test_each_row_is_answered_by_the_part_that_is_sure_of_it(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = EarlyExit().compress(spec, folder, tmp_path / "two", texts=texts)
    whole = answers(spec, folder, texts)
    early = answers(with_confidence(small, 0.0), tmp_path / "two", texts)
    assert not np.allclose(early, whole, atol=1e-3)
    odds = np.exp(early - early.max(axis=1, keepdims=True))
    sure = odds.max(axis=1) / odds.sum(axis=1)
    middle = float(np.median(sure))
    mixed = answers(with_confidence(small, middle), tmp_path / "two", texts)
    wanted = np.where((sure >= middle)[:, None], early, whole)
    assert 0 < (sure >= middle).sum() < len(texts)
    np.testing.assert_allclose(mixed, wanted, atol=2e-5)
    one = answers(with_confidence(small, middle), tmp_path / "two", texts[:1])
    np.testing.assert_allclose(one, wanted[:1], atol=2e-5)


def test_it_follows_8_bits_and_can_be_packed(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = compress_by("trim+int8+early-exit+zstd", spec, folder, tmp_path / "two", texts=texts)
    assert set(small.members) <= {
        *("model.onnx.zst", "rest.onnx.zst", "tokenizer.json.zst"),
        *("model.onnx", "rest.onnx", "tokenizer.json"),
    }
    plain = compress_by("trim+int8", spec, folder, tmp_path / "one", texts=texts)
    same = answers(small, tmp_path / "two", texts).argmax(1)
    assert (same == answers(plain, tmp_path / "one", texts).argmax(1)).mean() >= 0.98


def test_a_model_with_relative_positions_is_cut_too(
    make_bench: Callable[..., Any], mpnet_folder: Path, tmp_path: Path
) -> None:
    texts, targets = messages([40, 40, 40])
    opened = make_bench(texts, targets, [mpnet_folder]).opened(str(mpnet_folder))
    head = fit_logistic(opened.trunk.pooled(), targets, n_labels=3, strength=30.0)
    spec = write_encoder_tier(opened, opened.encoder.layers, head, tmp_path / "tier", name="tiny")
    small = EarlyExit().compress(spec, tmp_path / "tier", tmp_path / "two", texts=texts)
    asked = answers(with_confidence(small, 1.0), tmp_path / "two", texts)
    np.testing.assert_allclose(asked, answers(spec, tmp_path / "tier", texts), atol=2e-5)


@given(st.integers(0, 2**32 - 1))
def test_the_confidence_keeps_what_is_decided_otherwise_within_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 400)
    vectors = np.eye(3, dtype=np.float32)[truth] + rng.normal(0, 0.4, (400, 3)).astype(np.float32)
    said = 6 * np.eye(3, dtype=np.float32)[truth]
    head, confidence = fitted(vectors, said)
    scores = head(vectors)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    leaves = odds.max(axis=1) / odds.sum(axis=1) >= confidence
    wrong = (scores.argmax(1) != truth) & leaves
    # The head that serves saw all texts, those that the confidence was chosen by saw half of them.
    assert wrong.mean() <= 3 * (1 - AGREED)


@pytest.mark.parametrize("told", [-0.1, 1.5, "0.9", True])
def test_a_confidence_that_is_none_is_told(tier: Tier, tmp_path: Path, told: Any) -> None:
    spec, folder, texts = tier
    small = EarlyExit().compress(spec, folder, tmp_path / "two", texts=texts)
    broken = replace(small, settings={**small.settings, "exit": told})
    with pytest.raises(ArtifactError, match=r"PF504.*'exit'"):
        answers(broken, tmp_path / "two", texts)


def test_what_cannot_be_cut_is_refused(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = EarlyExit().compress(spec, folder, tmp_path / "two", texts=texts)
    for other in (small, TierSpec("words", "ngrams")):
        assert not EarlyExit().applies(other)
        with pytest.raises(AdaptError, match="PF404"):
            EarlyExit().compress(other, tmp_path / "two", tmp_path / "three", texts=texts)
    model = onnx.load(folder / "model.onnx")
    extra = onnx.helper.make_tensor_value_info("head.weight", onnx.TensorProto.FLOAT, [3, 32])
    model.graph.input.append(extra)
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(AdaptError, match=r"PF404.*shares its backbone"):
        EarlyExit().compress(spec, folder, tmp_path / "three", texts=texts)
    assert not (tmp_path / "three").exists()
