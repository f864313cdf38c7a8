from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import tiny_model
from torch import Tensor

from payoff.adapt.engine.adaptations.prefix import Prefix
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.core.errors import AdaptError


def test_outputs_barely_change_at_the_start(
    attach: Callable[..., Classifier], encoder: Encoder, some_tokens: Tokens
) -> None:
    batch = pack(some_tokens, np.arange(len(some_tokens)))
    vectors = []
    for adaptation in (None, Prefix(10)):
        classifier = attach(adaptation, depth=0)
        with torch.inference_mode():
            vectors.append(classifier.vectors(encoder.embed(batch), batch))
    assert (vectors[0] * vectors[1]).sum(1).min() > 0.99


def test_the_prefix_is_seen_by_every_head_and_has_no_place(tmp_path: Path) -> None:
    """One text through one layer, its attention restated head by head."""
    tiny_model("mpnet", vocabulary=40, layers=1).save_pretrained(tmp_path)
    encoder = load(tmp_path)
    torch.manual_seed(0)
    classifier = Classifier(encoder, 0, np.ones((2, 32)), np.ones(2), adaptation=Prefix(3))
    layer = next(iter(classifier.own_layers()))
    assert layer.prefix is not None
    with torch.no_grad():
        layer.prefix.values.copy_(torch.randn(2, 4, 3, 8))  # type: ignore[operator, union-attr]
    hidden = torch.randn(5, 32)
    place = encoder.relative_bias(5)
    seen = layer.prefix()
    mixed = torch.empty(5, 32)
    query, key, value = layer.qkv(hidden).split(32, dim=1)
    assert place is not None
    for head in range(4):
        part = slice(8 * head, 8 * head + 8)
        keys = torch.cat([seen[0, head], key[:, part]])
        values = torch.cat([seen[1, head], value[:, part]])
        scores = query[:, part] @ keys.T / 8**0.5
        scores[:, 3:] += place[head]
        mixed[:, part] = scores.softmax(1) @ values
    found: Tensor = layer._attend(layer.qkv(hidden), ((0, 1, 5),), place)
    torch.testing.assert_close(found, mixed, atol=1e-6, rtol=1e-5)


def test_prefixes_differ_and_can_be_many(attach: Callable[..., Classifier]) -> None:
    for n in (1, 10, 400):
        for layer in attach(Prefix(n), depth=0).own_layers():
            assert layer.prefix is not None
            start = layer.prefix()
            assert start.shape == (2, 4, n, 8)
            assert torch.isfinite(start).all()
            assert n == 1 or start.std(dim=2).min() > 0, "else all would be trained alike"


def test_a_number_that_cannot_be_meant_is_told() -> None:
    with pytest.raises(AdaptError, match=r"PF406.*'vectors'"):
        Prefix(0)
