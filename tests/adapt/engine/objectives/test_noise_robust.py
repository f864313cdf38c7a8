from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.noise_robust import GeneralisedCrossEntropy
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]


def shares(made: Any) -> np.ndarray:
    logits = made.logits()
    return np.asarray(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_the_formula(step: MakeStep, q: float) -> None:
    made = step()
    given = shares(made)[np.arange(len(made.truth)), made.truth]
    expected = np.mean((1 - given**q) / q)
    np.testing.assert_allclose(made.loss(GeneralisedCrossEntropy(q)).item(), expected, rtol=1e-5)


def test_the_gradient_is_that_of_cross_entropy_times_a_power_of_the_probability(
    step: MakeStep,
) -> None:
    made = step()
    each = shares(made)
    given = each[np.arange(len(each)), made.truth]
    by_logits = given[:, None] ** 0.7 * (each - np.eye(3)[made.truth]) / len(each)
    found = made.gradients(GeneralisedCrossEntropy(0.7))["head.bias"]
    np.testing.assert_allclose(found.numpy(), by_logits.sum(0), atol=1e-6)


def test_towards_0_it_is_cross_entropy(step: MakeStep) -> None:
    made = step()
    plain = made.loss(CrossEntropy(smoothing=0.0))
    close = made.loss(GeneralisedCrossEntropy(1e-4))
    torch.testing.assert_close(close, plain, rtol=1e-3, atol=0)


@pytest.mark.parametrize("q", [0.0, -1.0, 1.1, float("nan")])
def test_a_wrong_q_is_refused(q: float) -> None:
    with pytest.raises(AdaptError, match="PF406 generalised cross-entropy, q"):
        GeneralisedCrossEntropy(q)
