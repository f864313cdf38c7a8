"""The losses of tasks, restated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from payoff.adapt.engine.objectives.binary_cross_entropy import BinaryCrossEntropy  # noqa: E402
from payoff.adapt.engine.objectives.huber import Huber  # noqa: E402
from payoff.adapt.engine.objectives.soft_grades import SoftGrades  # noqa: E402

RNG = np.random.default_rng(0)


def loss(objective: Any, logits: np.ndarray, targets: np.ndarray) -> float:
    given = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    value = objective(lambda hidden, batch: given, None, None, torch.from_numpy(targets))
    value.backward()
    assert torch.isfinite(given.grad).all()
    return float(value.detach())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_binary_cross_entropy(smoothing: float) -> None:
    logits = RNG.normal(size=(6, 3))
    targets = (RNG.random((6, 3)) < 0.5).astype(np.float32)
    p = 1 / (1 + np.exp(-logits))
    wanted = targets * (1 - smoothing) + smoothing / 2
    by_hand = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean()
    assert loss(BinaryCrossEntropy(smoothing), logits, targets) == pytest.approx(by_hand, rel=1e-5)


def test_soft_grades() -> None:
    logits, targets = RNG.normal(size=(4, 5)), np.array([0, 2, 4, 1])
    by_hand = []
    for row, target in zip(logits, targets, strict=True):
        wanted = np.exp(-2.0 * (np.arange(5) - target) ** 2)
        wanted /= wanted.sum()
        by_hand.append(-(wanted * (row - np.log(np.exp(row).sum()))).sum())
    assert loss(SoftGrades(), logits, targets) == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_a_nearer_grade_costs_less() -> None:
    said = 8.0 * np.eye(5)[[2]]
    costs = [loss(SoftGrades(), said, np.array([target])) for target in (2, 3, 4)]
    assert costs == sorted(costs)


def test_huber() -> None:
    targets = np.array([10.0, 12.0, 30.0])
    outputs = np.array([[0.5], [0.0], [0.0]])
    away = np.abs(outputs[:, 0] - (targets - 10.0) / 4.0)
    by_hand = np.where(away <= 1, away**2 / 2, away - 0.5).mean()
    assert loss(Huber(10.0, 4.0), outputs, targets) == pytest.approx(by_hand, rel=1e-5)
