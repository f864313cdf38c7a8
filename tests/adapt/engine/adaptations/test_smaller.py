"""Students that are smaller than their backbone: fewer layers, fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.adapt.tiny_backbones import messages

from payoff.adapt.engine.adaptations.fewer_layers import FewerLayers, spread
from payoff.adapt.engine.adaptations.narrower_layers import NarrowerLayers
from payoff.adapt.engine.adaptations.one_after_the_other import OneAfterTheOther
from payoff.adapt.engine.adaptations.rounded import RoundedWeights, rounded
from payoff.adapt.engine.classifier import Classifier, classifier_logits
from payoff.core.errors import AdaptError


@pytest.fixture
def classifier(make_bench: Callable[..., Any], bert_folder: Path) -> Callable[..., Any]:
    texts, targets = messages([6, 6])
    opened = make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))
    width = opened.encoder.shape.width
    weight = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)

    def make(adaptation: Any) -> tuple[Classifier, Any]:
        made = Classifier(opened.encoder, 0, weight, weight[:, 0], adaptation=adaptation)
        return made.eval(), opened.trunk

    return make


@settings(deadline=None)
@given(
    arrays(np.float32, (3, 8), elements=st.floats(-4, 4, width=32)),
    st.integers(2, 8),
)
def test_a_row_is_rounded_to_whole_steps_of_its_own(weight: np.ndarray, bits: int) -> None:
    found = rounded(torch.from_numpy(weight), bits).numpy()
    most = 2 ** (bits - 1) - 1
    for before, after in zip(weight, found, strict=True):
        step = np.abs(before).max() / most
        if step < 1e-30:
            continue
        levels = after / step
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
        assert np.abs(levels).max() <= most + 1e-3
        assert np.abs(before - after).max() <= step / 2 * 1.001


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_what_is_trained_is_what_is_left_after_merging(
    bits: int, classifier: Callable[..., Any]
) -> None:
    adaptation = RoundedWeights(bits)
    made, trunk = classifier(adaptation)
    rows = np.arange(12)
    before = classifier_logits(made, trunk, rows)
    adaptation.merge(made)
    np.testing.assert_allclose(classifier_logits(made, trunk, rows), before, atol=1e-6)
    for module in made.layers.modules():
        if isinstance(module, torch.nn.Linear):
            assert type(module) is torch.nn.Linear
            for row in module.weight.detach().numpy():
                assert len(np.unique(row)) <= 2**bits - 1


def test_gradients_go_past_the_rounding(classifier: Callable[..., Any]) -> None:
    made, _ = classifier(RoundedWeights(3))
    layer = made.layers[0].up
    layer.weight.sum().backward()
    (whole,) = layer.parametrizations.weight.parameters()
    assert torch.equal(whole.grad, torch.ones_like(whole))
    assert all(p.requires_grad for p in made.layers.parameters())


def test_layers_are_left_out_evenly(classifier: Callable[..., Any]) -> None:
    whole, trunk = classifier(None)
    n = len(whole.layers)
    same, _ = classifier(FewerLayers(n))
    rows = np.arange(12)
    np.testing.assert_array_equal(
        classifier_logits(same, trunk, rows), classifier_logits(whole, trunk, rows)
    )
    first, _ = classifier(OneAfterTheOther(FewerLayers(1), RoundedWeights(8)))
    assert len(first.layers) == 1
    torch.testing.assert_close(
        first.layers[0].up.weight, whole.layers[0].up.weight, atol=0.02, rtol=0
    )


def test_neurons_are_left_out_by_what_they_do(classifier: Callable[..., Any]) -> None:
    whole, trunk = classifier(None)
    n = len(whole.layers[0].up.weight)
    same, _ = classifier(NarrowerLayers(n))
    rows = np.arange(12)
    np.testing.assert_array_equal(
        classifier_logits(same, trunk, rows), classifier_logits(whole, trunk, rows)
    )
    fewer, _ = classifier(NarrowerLayers(5))
    for before, after in zip(whole.layers, fewer.layers, strict=True):
        up, down = (layer.weight.detach().numpy() for layer in (before.up, before.down))
        sizes = np.linalg.norm(up, axis=1) * np.linalg.norm(down, axis=0)
        kept = np.sort(np.argsort(-sizes)[:5])
        np.testing.assert_array_equal(after.up.weight.detach().numpy(), up[kept])
        np.testing.assert_array_equal(after.down.weight.detach().numpy(), down[:, kept])
        np.testing.assert_array_equal(after.up.bias.detach(), before.up.bias.detach()[kept])
    assert all(parameter.requires_grad for parameter in fewer.layers.parameters())


@pytest.mark.parametrize("kept", [0, 49, -1])
def test_there_are_not_so_many_neurons(kept: int, classifier: Callable[..., Any]) -> None:
    with pytest.raises(AdaptError, match="PF406 setting 'neurons'"):
        classifier(NarrowerLayers(kept))


@given(st.integers(1, 30), st.data())
def test_spread_keeps_first_and_last_in_order(n: int, data: st.DataObject) -> None:
    kept = data.draw(st.integers(1, n))
    found = spread(n, kept)
    assert len(set(found)) == kept
    assert found == sorted(found)
    assert found[0] == 0
    if kept > 1:
        assert found[-1] == n - 1
        gaps = np.diff(found)
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("kept", [0, 7, -1])
def test_layers_that_are_not_there(kept: int) -> None:
    with pytest.raises(AdaptError, match="PF406 setting 'layers'"):
        spread(6, kept)


@pytest.mark.parametrize("bits", [1, 9, 0])
def test_bits_that_make_no_sense(bits: int) -> None:
    with pytest.raises(AdaptError, match="PF406 setting 'bits'"):
        RoundedWeights(bits)
