from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.core.errors import AdaptError


def test_the_product_is_added_by_its_scale(
    attach: Callable[..., Classifier],
    disturb: Callable[[Classifier], Classifier],
    encoder: Encoder,
) -> None:
    adaptation = LowRank(rank=4, alpha=6.0, targets=("qkv", "down"))
    classifier = disturb(attach(adaptation))
    state: dict[str, Any] = {k: v.clone() for k, v in classifier.state_dict().items()}
    adaptation.merge(classifier)
    layer, before = next(iter(classifier.own_layers())), encoder.layers[1]
    for name in ("qkv", "down"):
        a = state[f"layers.0.{name}.lora_A.default.weight"]
        b = state[f"layers.0.{name}.lora_B.default.weight"]
        expected = getattr(before, name).weight + 6.0 / 4 * (b @ a)
        torch.testing.assert_close(getattr(layer, name).weight, expected)
    for name in ("out", "up"):
        assert torch.equal(getattr(layer, name).weight, getattr(before, name).weight)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rank": 0}, "'rank'.*0"),
        ({"alpha": -1.0}, "'alpha'.*-1.0"),
        ({"targets": ("qkv", "key")}, "'targets'.*'key'.*qkv, out, up, down"),
        ({"targets": ()}, "'targets'"),
        ({"targets": ("dwn",)}, "Did you mean 'down'"),
    ],
)
def test_settings_that_cannot_be_meant_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(AdaptError, match=f"PF406.*{told}"):
        LowRank(**settings)


def test_a_classifier_without_layers_of_its_own_is_told(attach: Callable[..., Classifier]) -> None:
    with pytest.raises(AdaptError, match=r"PF406.*'depth'.*2 leaves no layer"):
        attach(LowRank(), depth=2)
