"""What holds for every objective: finite, repeatable, and resumed exactly."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import MAX_TOKENS, FineTuning, Schedule
from payoff.adapt.engine.objectives.adversarial import FGMLoss, FreeLBLoss
from payoff.adapt.engine.objectives.balanced import LogitAdjustedLoss, WeightedLoss
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy, contrastive
from payoff.adapt.engine.objectives.focal import FocalLoss
from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.adapt.engine.objectives.noise_robust import GeneralisedCrossEntropy
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.objectives.r_drop import RDropLoss
from payoff.adapt.engine.objectives.remembering import Remembering
from payoff.adapt.engine.objectives.soft_grades import SoftGrades
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent

MakeStep = Callable[..., Any]


@dataclass(frozen=True)
class Contrasts:
    """Contrastive, with a gradient for the head, so that all weights have one."""

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        return contrastive(classifier(hidden, batch), targets, 0.5)


@dataclass(frozen=True)
class Told:
    """An objective of somebody else's that does not say whether it is a mean."""

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        return classifier(hidden, batch).logsumexp(0).sum()


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
SPLIT: list[Objective] = [
    CrossEntropy(),
    FocalLoss(),
    WeightedLoss((20, 10, 2)),
    LogitAdjustedLoss((20, 10, 2)),
    GeneralisedCrossEntropy(),
    SoftGrades(),
    RDropLoss(rate=0.0),  # what is dropped is drawn for each part
    FGMLoss(),
    FreeLBLoss(radius=0.0),  # and so is where the climb starts
    Remembering(),
    Remembering(
        FocalLoss(),
        consolidation=0.5,
        weights={"head.weight": torch.zeros(2, 32)},
        fisher={"head.weight": torch.ones(2, 32)},
        distillation=0.5,
        answers=torch.arange(120.0).sin().view(60, 2),
    ),
]
TOGETHER: list[Objective] = [CrossEntropy(contrast=0.5), MixupLoss(), Contrasts(), Told()]
RANDOM: list[Any] = [MixupLoss, RDropLoss, FreeLBLoss]


def kind(objective: Any) -> str:
    return str(getattr(objective, "__name__", type(objective).__name__))


@pytest.fixture
def make(
    make_trunk: Callable[[], Trunk], encoder: Encoder, some_targets: np.ndarray
) -> Callable[..., FineTuning]:
    def tuning(objective: Objective, *, max_tokens: int = MAX_TOKENS) -> FineTuning:
        weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
        return FineTuning(
            Classifier(encoder, 1, weight, np.zeros(3, np.float32)),
            make_trunk(),
            some_targets,
            rows=np.arange(50),
            schedule=Schedule(depth=1, epochs=2.0, batch_texts=8, seed=0, max_tokens=max_tokens),
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


@pytest.mark.parametrize("objective", [*SPLIT, *TOGETHER], ids=kind)
def test_a_step_in_parts_has_the_gradient_of_the_whole(
    make: Callable[..., FineTuning], objective: Objective
) -> None:
    whole, parts = make(objective), make(objective, max_tokens=60)
    batches: list[int] = []
    own = parts.objective

    def noted(classifier: Any, hidden: Any, batch: Any, targets: Any) -> Any:
        batches.append(len(batch.rows))
        return own(classifier, hidden, batch, targets)

    if objective in TOGETHER:
        parts.objective = noted
    sizes: list[int] = []
    parts.classifier.layers[0].register_forward_hook(lambda _, given, out: sizes.append(len(out)))
    for tuning in (whole, parts):
        tuning.advance(1 / tuning.n_steps)
    for (name, one), other in zip(
        whole.classifier.named_parameters(), parts.classifier.parameters(), strict=True
    ):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=2e-6, rtol=1e-3, msg=name)
    assert max(sizes) <= 60 < sum(sizes)
    assert batches == ([8] if objective in TOGETHER else []), "all texts at once where compared"


@pytest.mark.parametrize("max_tokens", [MAX_TOKENS, 60])
@pytest.mark.parametrize("objective", ALL, ids=kind)
def test_going_on_from_a_file_gives_the_very_same_weights(
    make: Callable[..., FineTuning], objective: Objective, max_tokens: int
) -> None:
    whole, first, second = (make(objective, max_tokens=max_tokens) for _ in range(3))
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
