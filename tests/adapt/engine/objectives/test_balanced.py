from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.objectives.balanced import (
    LogitAdjustedLoss,
    WeightedLoss,
    effective_weights,
)
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]
COUNTS = (500, 30, 2)


def log_shares(logits: np.ndarray) -> np.ndarray:
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def test_weights_are_inverse_to_effective_numbers() -> None:
    beta = 0.99
    numbers = [sum(beta**i for i in range(count)) for count in COUNTS]  # the series itself
    inverse = [1 / number for number in numbers]
    expected = [3 * value / sum(inverse) for value in inverse]
    np.testing.assert_allclose(effective_weights(COUNTS, beta), expected, rtol=1e-12)
    np.testing.assert_allclose(effective_weights(COUNTS, 0.0), [1, 1, 1])
    near_one = effective_weights(COUNTS, 1 - 1e-9)
    np.testing.assert_allclose(near_one[1:] / near_one[0], [500 / 30, 500 / 2], rtol=1e-5)


def test_the_formula_of_the_weighted_loss(step: MakeStep) -> None:
    made = step()
    soft = 0.9 * np.eye(3)[made.truth] + 0.1 / 3
    losses = -(soft * log_shares(made.logits())).sum(1)
    weights = effective_weights(COUNTS, 0.999)[made.truth]
    expected = (weights * losses).sum() / len(losses)
    np.testing.assert_allclose(made.loss(WeightedLoss(COUNTS)).item(), expected, rtol=1e-5)


def test_a_text_of_a_rare_class_weighs_the_same_in_any_batch(step: MakeStep) -> None:
    """Divided by the weights' sum, a batch of one class would weigh like any other."""
    made = step()
    made.targets[:] = 0
    frequent = made.loss(WeightedLoss(COUNTS))
    plain = made.loss(CrossEntropy())
    torch.testing.assert_close(frequent, plain * effective_weights(COUNTS, 0.999)[0])


def test_the_formula_of_the_adjusted_loss(step: MakeStep) -> None:
    made = step()
    shifted = made.logits() + 0.7 * np.log(np.array(COUNTS) / sum(COUNTS))
    expected = -log_shares(shifted)[np.arange(len(shifted)), made.truth].mean()
    loss = made.loss(LogitAdjustedLoss(COUNTS, tau=0.7))
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-5)


def test_a_head_that_was_fitted_without_is_shifted_to_where_the_loss_leads() -> None:
    """Classes that the texts say nothing about: the best logits are those of balance."""
    frequencies = np.log(np.array(COUNTS) / sum(COUNTS))
    adjusted = frequencies + LogitAdjustedLoss(COUNTS).shift
    np.testing.assert_allclose(adjusted - adjusted[0], 0, atol=1e-12)
    weighted = frequencies + WeightedLoss(COUNTS, beta=1 - 1e-9).shift
    np.testing.assert_allclose(weighted - weighted[0], 0, atol=1e-5)


def test_classes_of_one_size_are_left_as_they_are(step: MakeStep) -> None:
    made = step()
    torch.testing.assert_close(made.loss(WeightedLoss((7, 7, 7))), made.loss(CrossEntropy()))
    plain = made.loss(CrossEntropy(smoothing=0.0))
    torch.testing.assert_close(made.loss(LogitAdjustedLoss((7, 7, 7))), plain)
    torch.testing.assert_close(made.loss(LogitAdjustedLoss(COUNTS, tau=0.0)), plain)


@pytest.mark.parametrize("loss", [WeightedLoss, LogitAdjustedLoss])
def test_a_class_without_texts_is_refused(loss: Callable[..., Any]) -> None:
    with pytest.raises(AdaptError, match=r"PF405 .* 2 of 4 classes .* number 2"):
        loss((5, 0, 3, 0))


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_a_wrong_beta_is_refused(beta: float) -> None:
    with pytest.raises(AdaptError, match="PF406 class weights, beta"):
        WeightedLoss((1, 2), beta)


@pytest.mark.parametrize("tau", [-1.0, float("nan"), float("inf")])
def test_a_wrong_tau_is_refused(tau: float) -> None:
    with pytest.raises(AdaptError, match="PF406 logit adjustment, tau"):
        LogitAdjustedLoss((1, 2), tau)
