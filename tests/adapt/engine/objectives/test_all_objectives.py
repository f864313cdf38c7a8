"""What holds for every objective: finite, repeatable, and resumed exactly."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.objectives.adversarial import FGMLoss, FreeLBLoss
from payoff.adapt.engine.objectives.balanced import LogitAdjustedLoss, WeightedLoss
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.focal import FocalLoss
from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.adapt.engine.objectives.noise_robust import GeneralisedCrossEntropy
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.objectives.r_drop import RDropLoss
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent

MakeStep = Callable[..., Any]
ALL: list[Objective] = [
    CrossEntropy(contrast=0.1),
    FocalLoss(),
    WeightedLoss((20, 10, 2)),
    LogitAdjustedLoss((20, 10, 2)),
    GeneralisedCrossEntropy(),
    MixupLoss(),
    RDropLoss(),
    FGMLoss(),
    FreeLBLoss(),
]
RANDOM: list[Any] = [MixupLoss, RDropLoss, FreeLBLoss]


def kind(objective: Any) -> str:
    return str(getattr(objective, "__name__", type(objective).__name__))


@pytest.fixture
def make(
    make_trunk: Callable[[], Trunk], encoder: Encoder, some_targets: np.ndarray
) -> Callable[..., FineTuning]:
    def tuning(objective: Objective) -> FineTuning:
        weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
        return FineTuning(
            Classifier(encoder, 1, weight, np.zeros(3, np.float32)),
            make_trunk(),
            some_targets,
            rows=np.arange(50),
            schedule=Schedule(depth=1, epochs=2.0, batch_texts=8, seed=0),
            progress=Silent(),
            objective=objective,
        )

    return tuning


@pytest.mark.parametrize("objective", ALL, ids=kind)
def test_gradients_are_finite_and_reach_all_weights(step: MakeStep, objective: Any) -> None:
    made = step()
    gradients = made.gradients(objective)
    assert gradients.keys() == {name for name, _ in made.classifier.named_parameters()}
    for gradient in gradients.values():
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("objective", ALL, ids=kind)
def test_a_text_alone_has_a_finite_loss(step: MakeStep, objective: Any) -> None:
    for gradient in step(rows=np.array([7])).gradients(objective).values():
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("objective", ALL, ids=kind)
def test_going_on_from_a_file_gives_the_very_same_weights(
    make: Callable[..., FineTuning], objective: Objective
) -> None:
    whole, first, second = make(objective), make(objective), make(objective)
    whole.advance(1.0)
    first.advance(0.4)
    assert 0 < first.step < first.n_steps
    torch.rand(5)  # chance that others take in between changes nothing
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.resume(torch.load(file, weights_only=True))
    second.advance(1.0)
    assert second.step == whole.step == whole.n_steps
    for name, value in whole.classifier.state_dict().items():
        assert torch.equal(second.classifier.state_dict()[name], value), name


@pytest.mark.parametrize("loss", RANDOM, ids=kind)
def test_chance_follows_from_the_seed_and_the_batch(step: MakeStep, loss: Any) -> None:
    made = step()
    state = torch.get_rng_state()
    assert torch.equal(made.loss(loss(seed=3)), made.loss(loss(seed=3)))
    assert not torch.equal(made.loss(loss(seed=3)), made.loss(loss(seed=4)))
    assert torch.equal(torch.get_rng_state(), state), "the chance of others is left alone"
