from __future__ import annotations

from collections.abc import Callable

import torch

from payoff.adapt.engine.adaptations.scaling import Scaling
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder


def test_factors_stand_behind_the_keys_and_before_the_last_matrix(
    attach: Callable[..., Classifier],
    disturb: Callable[[Classifier], Classifier],
    encoder: Encoder,
) -> None:
    adaptation = Scaling()
    classifier = disturb(attach(adaptation))
    state = classifier.state_dict()
    outer = state["layers.0.qkv.ia3_l.default"].flatten().clone()
    inner = state["layers.0.down.ia3_l.default"].flatten().clone()
    assert outer.shape == (96,)
    assert inner.shape == (48,)
    adaptation.merge(classifier)
    layer, before = next(iter(classifier.own_layers())), encoder.layers[1]
    torch.testing.assert_close(layer.qkv.weight, outer[:, None] * before.qkv.weight)
    torch.testing.assert_close(layer.qkv.bias, outer * before.qkv.bias)
    torch.testing.assert_close(layer.down.weight, before.down.weight * inner)
    assert torch.equal(layer.down.bias, before.down.bias)
