"""Weights between the pretrained and the tuned ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.interpolated import interpolated


@pytest.fixture
def tuned(encoder: Encoder) -> Classifier:
    """A classifier whose upper layer was moved by 1 everywhere."""
    classifier = Classifier(encoder, 1, np.full((2, 32), 5.0), np.array([3.0, 4.0]))
    with torch.no_grad():
        for weight in classifier.layers.parameters():
            weight.add_(1.0)
    return classifier


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_weight_goes_a_share_of_its_way(
    tuned: Classifier, encoder: Encoder, share: float
) -> None:
    found = interpolated(tuned, share)
    old = [p for layer in encoder.layers[1:] for p in layer.parameters()]
    assert len(old) == len(list(found.layers.parameters())) > 0
    for weight, before in zip(found.layers.parameters(), old, strict=True):
        torch.testing.assert_close(weight, before + share)


def test_the_head_is_taken_over_and_the_tuned_classifier_stays(tuned: Classifier) -> None:
    before = {name: value.clone() for name, value in tuned.state_dict().items()}
    found = interpolated(tuned, 0.5)
    assert torch.equal(found.head.weight, tuned.head.weight)
    assert found.head.bias.tolist() == [3.0, 4.0]
    with torch.no_grad():
        found.head.weight.zero_()
    assert all(torch.equal(value, before[name]) for name, value in tuned.state_dict().items())
