from __future__ import annotations

from collections.abc import Callable
from math import erf, sqrt

import numpy as np
import pytest
import torch

from payoff.adapt.engine.adaptations.bottleneck import Adapter, Bottleneck
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError


def test_an_adapter_by_hand() -> None:
    adapter = Adapter(3, 2)
    with torch.no_grad():
        for weight in adapter.parameters():
            weight.copy_(torch.randn_like(weight))
    x = torch.tensor([[0.5, -1.0, 2.0]])
    down, up = (
        (m.weight.detach().numpy(), m.bias.detach().numpy()) for m in (adapter.down, adapter.up)
    )
    inside = down[0] @ x[0].numpy() + down[1]
    inside = np.array([0.5 * v * (1 + erf(v / sqrt(2))) for v in inside])
    expected = x[0].numpy() + up[0] @ inside + up[1]
    np.testing.assert_allclose(adapter(x)[0].detach().numpy(), expected, rtol=1e-5)


def test_every_layer_has_two_of_its_size(attach: Callable[..., Classifier]) -> None:
    for layer in attach(Bottleneck(5), depth=0).own_layers():
        for adapter in (layer.attention_adapter, layer.inner_adapter):
            assert isinstance(adapter, Adapter)
            assert adapter.down.weight.shape == (5, 32)
            assert adapter.down.weight.std() > 0, "else nothing could be learnt"


def test_a_size_that_cannot_be_meant_is_told() -> None:
    with pytest.raises(AdaptError, match=r"PF406.*'size'"):
        Bottleneck(0)
