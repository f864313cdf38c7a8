from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.focal import FocalLoss
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_formula(step: MakeStep, gamma: float) -> None:
    made = step()
    logits = made.logits()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = shares[np.arange(len(logits)), made.truth]
    assert right.min() < 0.3
    assert right.max() > 0.7
    expected = np.mean(-((1 - right) ** gamma) * np.log(right))
    np.testing.assert_allclose(made.loss(FocalLoss(gamma)).item(), expected, rtol=1e-5)


def test_gamma_0_is_cross_entropy(step: MakeStep) -> None:
    made = step()
    torch.testing.assert_close(made.loss(FocalLoss(0.0)), made.loss(CrossEntropy(smoothing=0.0)))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_texts_that_are_wholly_right_have_finite_gradients(step: MakeStep, gamma: float) -> None:
    made = step()
    made.targets[:] = 0
    with torch.no_grad():
        made.classifier.head.bias += torch.tensor([1000.0, 0.0, 0.0])
    gradients = made.gradients(FocalLoss(gamma))
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("gamma", [-0.1, float("nan"), float("inf")])
def test_a_wrong_gamma_is_refused(gamma: float) -> None:
    with pytest.raises(AdaptError, match="PF406 focal loss, gamma"):
        FocalLoss(gamma)
