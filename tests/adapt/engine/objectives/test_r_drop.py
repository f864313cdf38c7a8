from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.r_drop import RDropLoss, apart
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]


def test_the_formula(step: MakeStep) -> None:
    made = step(depth=2)  # nothing but pooling and the head above the activations
    generator = torch.Generator().manual_seed(batch_seed(made.batch, 4))
    weight = made.classifier.head.weight.detach().double().numpy()
    bias = made.classifier.head.bias.detach().double().numpy()
    logs = []
    for _ in range(2):
        kept = torch.rand(made.hidden.shape, generator=generator) >= 0.3
        vectors = []
        for tokens, mask in zip(made.texts(made.hidden), made.texts(kept), strict=True):
            mean = (tokens * mask / 0.7).mean(0)
            vectors.append(mean / np.sqrt((mean**2).sum()))
        kept = torch.rand((len(vectors), 32), generator=generator) >= 0.3
        logits = (np.array(vectors) * kept.numpy() / 0.7) @ weight.T + bias
        logs.append(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
    soft = 0.9 * np.eye(3)[made.truth] + 0.1 / 3
    right = sum(-(soft * log).sum(1).mean() for log in logs) / 2
    one, other = logs
    divergences = [(np.exp(p) * (p - q)).sum(1).mean() for p, q in ((one, other), (other, one))]
    expected = right + 2.0 * sum(divergences) / 2
    found = made.loss(RDropLoss(2.0, 0.3, seed=4)).item()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert min(divergences) > 0.01


def test_without_dropout_it_is_cross_entropy(step: MakeStep) -> None:
    made = step()
    torch.testing.assert_close(made.loss(RDropLoss(rate=0.0)), made.loss(CrossEntropy()))


def test_answers_are_apart_as_far_both_ways() -> None:
    one, other = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(apart(one, other), apart(other, one))
    assert apart(one, other) > 0
    assert apart(one, one + 3.0).abs() < 1e-6


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"rate": 1.0}, "rate"),
        ({"rate": -0.1}, "rate"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, float], named: str) -> None:
    with pytest.raises(AdaptError, match=f"PF406 R-Drop, {named}"):
        RDropLoss(**settings)
