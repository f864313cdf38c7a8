"""The ONNX graph gives what the torch classifier gives, padded or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.adapt.tiny_backbones import tiny_model

from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.adapt.export.onnx_static import write_static_onnx
from payoff.adapt.recipes.linear import LinearHead

LENGTHS = [1, 30, 7, 2, 30, 12]
KINDS = ["bert", "mpnet", "xlm-roberta"]


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    tiny_model(request.param, vocabulary=60, layers=3).save_pretrained(tmp_path / "in")
    return load(tmp_path / "in")


def random_tokens(lengths: list[int], vocabulary: int) -> Tokens:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rng = np.random.default_rng(0)
    return Tokens(rng.integers(4, vocabulary, int(offsets[-1])), offsets)


def run(path: Path, tokens: Tokens, rows: list[int]) -> np.ndarray:
    """Logits of some texts in one padded batch."""
    longest = int(tokens.lengths[rows].max())
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : tokens.lengths[row]] = tokens.of(row)
        mask[place, : tokens.lengths[row]] = 1
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits: np.ndarray = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
    return logits


@pytest.mark.parametrize("depth", [0, 2])
def test_padded_batches_equal_torch(encoder: Encoder, depth: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 32)), rng.normal(size=5)
    classifier = Classifier(encoder, depth, weight, bias).eval()
    with torch.no_grad():  # as if trained
        for parameter in classifier.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    layers = [*encoder.layers[:depth], *classifier.layers]
    path = tmp_path / "model.onnx"
    write_onnx(encoder, layers, classifier.head, path, max_tokens=32)
    tokens = random_tokens(LENGTHS, 60)
    batch = pack(tokens, np.arange(len(tokens)))
    with torch.inference_mode():
        below = encoder.run(encoder.embed(batch), batch, last=depth)
        expected = classifier(below, batch).numpy()
    in_order = expected[np.argsort(batch.rows)]
    together = run(path, tokens, list(range(len(tokens))))
    assert together.shape == (len(tokens), 5)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, in_order, atol=1e-4)
    alone = np.concatenate([run(path, tokens, [row]) for row in range(len(tokens))])
    np.testing.assert_allclose(alone, in_order, atol=1e-4)


def test_a_linear_head_serves_as_well(encoder: Encoder, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 32)).astype(np.float32)
    head = LinearHead(weight, rng.normal(size=2).astype(np.float32))
    write_onnx(encoder, encoder.layers, head, tmp_path / "m.onnx", max_tokens=32)
    classifier = Classifier(encoder, 0, head.weight, head.bias)
    tokens = random_tokens([9], 60)
    batch = pack(tokens, np.array([0]))
    with torch.inference_mode():
        expected = classifier(encoder.embed(batch), batch).numpy()
    np.testing.assert_allclose(run(tmp_path / "m.onnx", tokens, [0]), expected, atol=1e-4)


def test_the_longest_text_fits(encoder: Encoder, tmp_path: Path) -> None:
    head = LinearHead(np.ones((2, 32), np.float32), np.zeros(2, np.float32))
    write_onnx(encoder, encoder.layers, head, tmp_path / "m.onnx", max_tokens=64)
    assert np.isfinite(run(tmp_path / "m.onnx", random_tokens([64], 60), [0])).all()


def test_the_same_weights_give_the_same_bytes(encoder: Encoder, tmp_path: Path) -> None:
    head = LinearHead(np.ones((2, 32), np.float32), np.zeros(2, np.float32))
    for name in ("one", "two"):
        write_onnx(encoder, encoder.layers, head, tmp_path / name, max_tokens=32)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_static_vectors_are_averaged_normalised_and_scored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 16)).astype(np.float16)
    weight = rng.normal(size=(4, 16)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    for name in ("one", "two"):
        write_static_onnx(table, weight, bias, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    tokens = random_tokens(LENGTHS, 60)
    means = np.stack([table[tokens.of(row)].astype(np.float64).mean(0) for row in range(6)])
    expected = means / np.linalg.norm(means, axis=1, keepdims=True) @ weight.T + bias
    np.testing.assert_allclose(run(tmp_path / "one", tokens, list(range(6))), expected, atol=1e-4)
