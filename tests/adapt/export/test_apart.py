"""Graphs whose frozen weights are left as they were: the same answers, one session for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tests.adapt.export.test_onnx_encoder import LENGTHS, in_torch, random_tokens, run
from tests.adapt.tiny_backbones import tiny_model

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.adaptive_low_rank import AdaptiveLowRank
from payoff.adapt.engine.adaptations.biases import Biases
from payoff.adapt.engine.adaptations.bottleneck import Bottleneck
from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.adaptations.prefix import Prefix
from payoff.adapt.engine.adaptations.prompt import MadePrompt, Prompt
from payoff.adapt.engine.adaptations.scaling import Scaling
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.adapt.export.onnx_tagger import write_tagger_onnx
from payoff.artifact.runtime.graph_file import GraphFile
from payoff.artifact.runtime.own_weights import OwnWeights, own_weights

EVERY: dict[str, Callable[[], Adaptation]] = {
    "lora": lambda: LowRank(4, 8.0),
    "lora of two": lambda: LowRank(2, 8.0, ("qkv", "down")),
    "adalora": lambda: AdaptiveLowRank(2, 4, 8.0),
    "ia3": Scaling,
    "adapter": lambda: Bottleneck(6),
    "bitfit": Biases,
    "prefix": lambda: Prefix(3),
    "prompt": lambda: Prompt(5),
    "p-tuning": lambda: MadePrompt(5, 8),
}
every = pytest.mark.parametrize("make", EVERY.values(), ids=list(EVERY))


@pytest.fixture(params=["bert", "mpnet"])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    tiny_model(request.param, vocabulary=60, layers=3).save_pretrained(tmp_path / "in")
    return load(tmp_path / "in")


def as_if_trained(
    encoder: Encoder, adaptation: Adaptation, *, seed: int = 0, n_labels: int = 5
) -> Classifier:
    """All that is trained moved at random, and one entry of AdaLoRA cut."""
    torch.manual_seed(0)
    weight = np.random.default_rng(seed).normal(size=(n_labels, 32))
    classifier = Classifier(encoder, 1, weight, np.zeros(n_labels), adaptation=adaptation).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in classifier.named_parameters():
            if parameter.requires_grad and not name.startswith("head"):
                parameter.add_(torch.randn_like(parameter) * 0.3)
            if "lora_E" in name:
                parameter[0] = 0.0
    return classifier


def write(encoder: Encoder, classifier: Classifier, path: Path, *, apart: bool) -> None:
    adaptation: Any = classifier.adaptation
    (adaptation.keep_apart if apart else adaptation.merge)(classifier)
    prompt: Any = classifier.prompt
    write_onnx(
        encoder,
        [*encoder.layers[:1], *classifier.own_layers()],
        classifier.head,
        path,
        max_tokens=32,
        prompt=None if prompt is None else prompt(),
        depth=1,
        apart=apart,
    )


def read(path: Path) -> OwnWeights | None:
    return own_weights(GraphFile(memoryview(path.read_bytes())))


def constants(path: Path) -> dict[str, bytes]:
    """Initialisers that nobody may override."""
    graph = onnx.load(path).graph
    own = {one.name for one in graph.input}
    return {
        one.name: numpy_helper.to_array(one).tobytes()
        for one in graph.initializer
        if one.name not in own
    }


@every
def test_it_answers_as_the_merged_one_and_as_torch(
    encoder: Encoder, make: Callable[[], Adaptation], tmp_path: Path
) -> None:
    tokens = random_tokens(LENGTHS, 60)
    expected = in_torch(encoder, as_if_trained(encoder, make()), tokens)
    rows = list(range(len(tokens)))
    answers = {}
    for apart in (False, True):
        path = tmp_path / f"{apart}.onnx"
        write(encoder, as_if_trained(encoder, make()), path, apart=apart)
        answers[apart] = run(path, tokens, rows)
        np.testing.assert_allclose(answers[apart], expected, atol=1e-4)
    chances = [torch.from_numpy(answers[apart]).softmax(1) for apart in (False, True)]
    torch.testing.assert_close(chances[0], chances[1], atol=1e-4, rtol=0)
    onnx.checker.check_model(str(tmp_path / "False.onnx"))


@every
def test_every_frozen_weight_is_the_backbones(
    encoder: Encoder, make: Callable[[], Adaptation], tmp_path: Path
) -> None:
    adapted, plain = tmp_path / "adapted.onnx", tmp_path / "plain.onnx"
    classifier = as_if_trained(encoder, make())
    write(encoder, classifier, adapted, apart=True)
    write_onnx(encoder, encoder.layers, classifier.head, plain, max_tokens=32)
    pretrained = set(constants(plain).values())
    heavy = {n: v for n, v in constants(adapted).items() if len(v) >= 2048 and n != "buckets"}
    cut = {name for name in heavy if ".query." in name or ".key." in name or ".value." in name}
    assert all(value in pretrained for name, value in heavy.items() if name not in cut)
    assert bool(cut) == isinstance(classifier.adaptation, Prefix), "it is cut in three, unscaled"
    own = read(adapted)
    assert own is not None
    trained = sum(value.size for value in own.values.values())
    whole = sum(weight.numel() for weight in encoder.parameters())
    assert {"head.weight", "head.bias"} < set(own.values)
    assert trained < 0.25 * whole


@every
def test_what_differs_in_its_own_weights_alone_is_known_as_one(
    encoder: Encoder, make: Callable[[], Adaptation], tmp_path: Path
) -> None:
    found = []
    for seed, n_labels in ((0, 5), (1, 5), (2, 9)):
        path = tmp_path / f"{seed}.onnx"
        trained = as_if_trained(encoder, make(), seed=seed, n_labels=n_labels)
        write(encoder, trained, path, apart=True)
        found.append(read(path))
    one, two, wider = found
    assert one is not None
    assert two is not None
    assert wider is not None
    assert one.frozen_sha256 == two.frozen_sha256 == wider.frozen_sha256
    assert any(not np.array_equal(one.values[name], two.values[name]) for name in one.values)
    graph = {w.name: w for w in onnx.load(tmp_path / "2.onnx").graph.initializer}
    for name, value in wider.values.items():
        np.testing.assert_array_equal(value, numpy_helper.to_array(graph[name]))


def test_another_rank_is_no_other_graph_but_another_backbone_is(tmp_path: Path) -> None:
    digests = {}
    for name, rank, seed in (("two", 2, 0), ("four", 4, 0), ("another", 2, 1)):
        folder = tmp_path / name
        tiny_model("bert", vocabulary=60, layers=3, seed=seed).save_pretrained(folder)
        encoder = load(folder)
        path = tmp_path / f"{name}.onnx"
        write(encoder, as_if_trained(encoder, LowRank(rank)), path, apart=True)
        own = read(path)
        assert own is not None
        digests[name] = own.frozen_sha256
    assert digests["two"] == digests["four"] != digests["another"]


def test_what_is_merged_has_nothing_of_its_own(encoder: Encoder, tmp_path: Path) -> None:
    write(encoder, as_if_trained(encoder, LowRank(2)), tmp_path / "m.onnx", apart=False)
    assert read(tmp_path / "m.onnx") is None


def test_one_that_tags_is_left_apart_too(encoder: Encoder, tmp_path: Path) -> None:
    tokens, found = random_tokens(LENGTHS, 60), {}
    rows = list(range(len(tokens)))
    for name, apart, n_tags in (("merged", False, 5), ("apart", True, 5), ("wider", True, 9)):
        tagger = as_if_trained(encoder, LowRank(2, 4.0), n_labels=n_tags)
        adaptation: Any = tagger.adaptation
        (adaptation.keep_apart if apart else adaptation.merge)(tagger)
        layers = [*encoder.layers[:1], *tagger.own_layers()]
        path = tmp_path / name
        write_tagger_onnx(encoder, layers, tagger.head, path, max_tokens=32, apart=apart)
        found[name] = run(path, tokens, rows)
    np.testing.assert_allclose(found["apart"], found["merged"], atol=1e-4)
    one, wider = read(tmp_path / "apart"), read(tmp_path / "wider")
    assert one is not None
    assert wider is not None
    assert one.frozen_sha256 == wider.frozen_sha256
