from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine.objectives.adversarial import (
    FGMLoss,
    FreeLBLoss,
    text_lengths,
    text_norms,
)
from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]


@dataclass
class Watched:
    """Cross-entropy that notes where it was asked."""

    seen: list[Tensor] = field(default_factory=list)

    def __call__(self, classifier: Any, hidden: Tensor, batch: Any, targets: Tensor) -> Tensor:
        self.seen.append(hidden.detach().clone())
        return CrossEntropy()(classifier, hidden, batch, targets)


def by_hand(
    texts: list[np.ndarray], truth: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[float, list[np.ndarray], np.ndarray]:
    """Smoothed cross-entropy of mean pooling and a head; its gradients: activations, weight."""
    losses, gradients, of_weight = [], [], np.zeros_like(weight)
    for tokens, target in zip(texts, truth, strict=True):
        mean = tokens.mean(0)
        length = np.sqrt((mean**2).sum())
        vector = mean / length
        logits = weight @ vector + bias
        shares = np.exp(logits) / np.exp(logits).sum()
        soft = 0.9 * np.eye(3)[target] + 0.1 / 3
        losses.append(-(soft * np.log(shares)).sum())
        by_logits = (shares - soft) / len(texts)
        by_vector = weight.T @ by_logits
        by_mean = (by_vector - vector * (vector @ by_vector)) / length
        gradients.append(np.tile(by_mean / len(tokens), (len(tokens), 1)))
        of_weight += np.outer(by_logits, vector)
    return float(np.mean(losses)), gradients, of_weight


def norm(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).sum()))


def test_fgm_by_hand(step: MakeStep) -> None:
    made = step(depth=2)  # nothing but pooling and the head above the activations
    weight = made.classifier.head.weight.detach().double().numpy()
    bias = made.classifier.head.bias.detach().double().numpy()
    texts = made.texts(made.hidden)
    clean, gradients, clean_weight = by_hand(texts, made.truth, weight, bias)
    moved = [
        tokens + 0.3 * norm(tokens) * gradient / norm(gradient)
        for tokens, gradient in zip(texts, gradients, strict=True)
    ]
    hurt, _, hurt_weight = by_hand(moved, made.truth, weight, bias)
    assert hurt > clean + 0.1

    objective = FGMLoss(0.3)
    np.testing.assert_allclose(made.loss(objective).item(), (clean + hurt) / 2, rtol=1e-5)
    found = made.gradients(objective)["head.weight"].numpy()
    np.testing.assert_allclose(found, (clean_weight + hurt_weight) / 2, atol=1e-6)


def test_fgm_has_the_gradients_of_both_passes(step: MakeStep) -> None:
    made = step()
    watched = Watched()
    found = made.gradients(FGMLoss(0.2, watched))
    clean, hurt = watched.seen
    torch.testing.assert_close(clean, made.hidden)
    made.classifier.zero_grad()
    for hidden in (clean, hurt):
        loss = CrossEntropy()(made.classifier, hidden, made.batch, made.targets) / 2
        loss.backward()  # type: ignore[no-untyped-call]
    for name, weights in made.classifier.named_parameters():
        torch.testing.assert_close(found[name], weights.grad)


def test_freelb_is_its_algorithm(step: MakeStep) -> None:
    """Restated with one step backward at each point, as the paper has it."""
    made = step()
    found = made.gradients(FreeLBLoss(0.2, steps=3, rate=0.6, seed=4))
    value = made.loss(FreeLBLoss(0.2, steps=3, rate=0.6, seed=4)).item()

    generator = torch.Generator().manual_seed(batch_seed(made.batch, 4))
    noise = torch.rand(made.hidden.shape, generator=generator) * 2 - 1
    starts = [start for start, _, _ in made.batch.groups]
    bounds = []
    for start, (_, count, length) in zip(starts, made.batch.groups, strict=True):
        bounds += [slice(start + i * length, start + (i + 1) * length) for i in range(count)]
    move = torch.zeros_like(made.hidden)
    radii = [0.2 * made.hidden[text].norm() for text in bounds]
    for text, radius in zip(bounds, radii, strict=True):
        move[text] = noise[text] * radius / noise[text].numel() ** 0.5
    made.classifier.zero_grad()
    losses = []
    for _ in range(3):
        move = move.detach().requires_grad_()
        loss = CrossEntropy()(made.classifier, made.hidden + move, made.batch, made.targets)
        (loss / 3).backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        assert move.grad is not None
        climbed = move.detach().clone()
        for text, radius in zip(bounds, radii, strict=True):
            gradient = move.grad[text] * 3
            climbed[text] += 0.6 * radius * gradient / gradient.norm()
            if climbed[text].norm() > radius:
                climbed[text] *= radius / climbed[text].norm()
        move = climbed
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-5)
    assert losses[0] < losses[1] < losses[2]
    for name, weights in made.classifier.named_parameters():
        torch.testing.assert_close(found[name], weights.grad, rtol=1e-3, atol=1e-5)


def test_freelb_stays_within_its_ball(step: MakeStep) -> None:
    made = step()
    watched = Watched()
    made.loss(FreeLBLoss(0.3, steps=4, rate=5.0, objective=watched))
    norms = [text_norms(hidden - made.hidden, made.batch) for hidden in watched.seen]
    reach = 0.3 * text_norms(made.hidden, made.batch)
    assert (norms[0] < reach).all()
    assert (norms[0] > 0.3 * reach).all()
    for after in norms[1:]:
        torch.testing.assert_close(after, reach, rtol=1e-4, atol=0)


@pytest.mark.parametrize("objective", [FGMLoss(0.0), FreeLBLoss(0.0), FreeLBLoss(0.0, steps=1)])
def test_at_radius_0_it_is_cross_entropy(step: MakeStep, objective: Any) -> None:
    made = step()
    torch.testing.assert_close(made.loss(objective), made.loss(CrossEntropy()))
    plain, found = made.gradients(CrossEntropy()), made.gradients(objective)
    assert plain.keys() == found.keys()
    for name in plain:
        torch.testing.assert_close(found[name], plain[name])


@pytest.mark.parametrize("objective", [FGMLoss(), FreeLBLoss()])
def test_what_is_frozen_gets_no_gradient(step: MakeStep, objective: Any) -> None:
    made = step()
    made.classifier.layers.requires_grad_(False)
    assert made.gradients(objective).keys() == {"head.weight", "head.bias"}
    assert made.hidden.grad is None
    assert not made.hidden.requires_grad


def test_norms_and_lengths_are_those_of_whole_texts(step: MakeStep) -> None:
    made = step()
    texts = made.texts(made.hidden)
    assert len({len(tokens) for tokens in texts}) > 2
    expected = np.concatenate([np.full((len(tokens), 1), norm(tokens)) for tokens in texts])
    np.testing.assert_allclose(text_norms(made.hidden, made.batch), expected, rtol=1e-6)
    lengths = np.concatenate([np.full(len(tokens), len(tokens)) for tokens in texts])
    np.testing.assert_array_equal(text_lengths(made.batch), lengths)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: FGMLoss(-0.1), "FGM, radius"),
        (lambda: FGMLoss(float("nan")), "FGM, radius"),
        (lambda: FreeLBLoss(float("inf")), "FreeLB, radius"),
        (lambda: FreeLBLoss(steps=0), "FreeLB, steps"),
        (lambda: FreeLBLoss(rate=-1.0), "FreeLB, rate"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], Any], where: str) -> None:
    with pytest.raises(AdaptError, match=f"PF406 {where}"):
        make()
