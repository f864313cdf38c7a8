"""The ONNX graph gives what the torch classifier gives, padded or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.adapt.tiny_backbones import tiny_model

from payoff.adapt.compress.int8 import Int8
from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.bottleneck import Bottleneck
from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.adaptations.prefix import Prefix
from payoff.adapt.engine.adaptations.prompt import Prompt
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.adapt.export.onnx_static import write_static_onnx
from payoff.adapt.recipes.linear import LinearHead
from payoff.artifact.tier import TierSpec

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


class Together(Adaptation):
    """Adapters, prefixes and a prompt at once, each of another size."""

    def attach(self, classifier: Classifier) -> None:
        for adaptation in (Bottleneck(6), Prefix(3), Prompt(5)):
            adaptation.attach(classifier)


ADDED: dict[str, Callable[[], Adaptation]] = {
    "adapter": lambda: Bottleneck(6),
    "prefix": lambda: Prefix(3),
    "prompt": lambda: Prompt(5),
    "together": Together,
}
by_added = pytest.mark.parametrize("added", ADDED.values(), ids=list(ADDED))


def as_if_trained(encoder: Encoder, depth: int, adaptation: Adaptation) -> Classifier:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 32)), rng.normal(size=5)
    classifier = Classifier(encoder, depth, weight, bias, adaptation=adaptation).eval()
    with torch.no_grad():
        for name, parameter in classifier.named_parameters():
            if parameter.requires_grad and not name.startswith("head"):
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return classifier


def write(encoder: Encoder, classifier: Classifier, path: Path, *, max_tokens: int = 32) -> None:
    prompt: Any = classifier.prompt
    layers = [*encoder.layers[: classifier.depth], *classifier.layers]
    write_onnx(
        encoder,
        layers,
        classifier.head,
        path,
        max_tokens=max_tokens,
        prompt=None if prompt is None else prompt(),
        depth=classifier.depth,
    )


def in_torch(encoder: Encoder, classifier: Classifier, tokens: Tokens) -> np.ndarray:
    batch = pack(tokens, np.arange(len(tokens)))
    with torch.inference_mode():
        below = encoder.run(encoder.embed(batch), batch, last=classifier.depth)
        logits: np.ndarray = classifier(below, batch).numpy()
    return logits[np.argsort(batch.rows)]


@by_added
@pytest.mark.parametrize("depth", [0, 2])
def test_what_cannot_be_merged_is_written(
    encoder: Encoder, added: Callable[[], Adaptation], depth: int, tmp_path: Path
) -> None:
    classifier = as_if_trained(encoder, depth, added())
    path = tmp_path / "model.onnx"
    write(encoder, classifier, path)
    tokens = random_tokens(LENGTHS, 60)
    expected = in_torch(encoder, classifier, tokens)
    rows = list(range(len(tokens)))
    np.testing.assert_allclose(run(path, tokens, rows), expected, atol=1e-4)
    alone = np.concatenate([run(path, tokens, [row]) for row in rows])
    np.testing.assert_allclose(alone, expected, atol=1e-4)
    plain = tmp_path / "plain.onnx"
    write_onnx(encoder, encoder.layers, classifier.head, plain, max_tokens=32)
    assert np.abs(run(plain, tokens, rows) - expected).max() > 1e-2, "it makes a difference"


@by_added
def test_the_longest_text_fits_beside_what_is_added(
    encoder: Encoder, added: Callable[[], Adaptation], tmp_path: Path
) -> None:
    classifier = as_if_trained(encoder, 1, added())
    write(encoder, classifier, tmp_path / "m.onnx", max_tokens=64)
    tokens = random_tokens([64], 60)
    expected = in_torch(encoder, classifier, tokens)
    np.testing.assert_allclose(run(tmp_path / "m.onnx", tokens, [0]), expected, atol=1e-4)


@by_added
def test_the_first_token_is_pooled_behind_the_prompt(
    added: Callable[[], Adaptation], tmp_path: Path
) -> None:
    tiny_model("bert", vocabulary=60, layers=3).save_pretrained(tmp_path / "in")
    encoder = load(tmp_path / "in", pooling="cls")
    classifier = as_if_trained(encoder, 1, added())
    write(encoder, classifier, tmp_path / "m.onnx")
    tokens = random_tokens(LENGTHS, 60)
    found = run(tmp_path / "m.onnx", tokens, list(range(len(tokens))))
    np.testing.assert_allclose(found, in_torch(encoder, classifier, tokens), atol=1e-4)


@by_added
def test_what_is_added_gives_the_same_bytes_again(
    encoder: Encoder, added: Callable[[], Adaptation], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write(encoder, as_if_trained(encoder, 1, added()), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@by_added
def test_what_is_added_becomes_eight_bits_too(
    encoder: Encoder, added: Callable[[], Adaptation], tmp_path: Path
) -> None:
    classifier = as_if_trained(encoder, 1, added())
    (tmp_path / "tier").mkdir()
    write(encoder, classifier, tmp_path / "tier" / "model.onnx")
    (tmp_path / "tier" / "tokenizer.json").write_text("{}")
    Int8().compress(TierSpec("tiny", "tokens"), tmp_path / "tier", tmp_path / "small")
    tokens = random_tokens([9, 14, 3, 20] * 10, 60)
    rows = list(range(len(tokens)))
    before = run(tmp_path / "tier" / "model.onnx", tokens, rows)
    after = run(tmp_path / "small" / "model.onnx", tokens, rows)
    assert 0 < np.abs(after - before).max() < 0.5
    assert (after.argmax(1) == before.argmax(1)).mean() > 0.9
    graph = onnx.load(tmp_path / "small" / "model.onnx").graph
    constant = {weight.name for weight in graph.initializer}
    left = [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in constant]
    assert left == [], "no matrix is left as it was"


def test_a_prompt_above_the_last_layer_does_nothing(encoder: Encoder, tmp_path: Path) -> None:
    head = LinearHead(np.ones((2, 32), np.float32), np.zeros(2, np.float32))
    prompt = torch.ones(4, 32)
    write_onnx(encoder, encoder.layers, head, tmp_path / "m", max_tokens=32, prompt=prompt, depth=3)
    write_onnx(encoder, encoder.layers, head, tmp_path / "plain", max_tokens=32)
    tokens = random_tokens([9, 3], 60)
    found, plain = (run(tmp_path / name, tokens, [0, 1]) for name in ("m", "plain"))
    np.testing.assert_array_equal(found, plain)


def test_what_was_not_merged_is_not_left_out_silently(encoder: Encoder, tmp_path: Path) -> None:
    classifier = as_if_trained(encoder, 1, LowRank(2))
    with pytest.raises(AssertionError, match="not merged"):
        write(encoder, classifier, tmp_path / "m.onnx")


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
