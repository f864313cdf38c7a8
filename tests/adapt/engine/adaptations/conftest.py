"""A small classifier with an adaptation, and its training."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent


@pytest.fixture
def attach(encoder: Encoder) -> Callable[..., Classifier]:
    """A classifier of three classes on the tiny MPNet, its start the same each time."""

    def make(adaptation: Adaptation | None, *, depth: int = 1) -> Classifier:
        weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
        torch.manual_seed(0)
        made = Classifier(encoder, depth, weight, np.zeros(3, np.float32), adaptation=adaptation)
        return made.eval()

    return make


@pytest.fixture
def tune(
    attach: Callable[..., Classifier],
    make_trunk: Callable[[], Trunk],
    some_targets: np.ndarray,
) -> Callable[..., FineTuning]:
    """Its training: two epochs of seven steps, unless said otherwise."""

    def make(adaptation: Adaptation | None, **plan: Any) -> FineTuning:
        usual = {"depth": 1, "epochs": 2.0, "batch_texts": 8, "learning_rate": 5e-3}
        schedule = Schedule(**(usual | plan))
        return FineTuning(
            attach(adaptation, depth=schedule.depth),
            make_trunk(),
            some_targets,
            rows=np.arange(50),
            schedule=schedule,
            progress=Silent(),
        )

    return make


@pytest.fixture
def outputs(encoder: Encoder, some_tokens: Tokens) -> Callable[[Classifier], Tensor]:
    """Logits of all texts, in their order."""

    def logits(classifier: Classifier) -> Tensor:
        batch = pack(some_tokens, np.arange(len(some_tokens)))
        with torch.inference_mode():
            below = encoder.run(encoder.embed(batch), batch, last=classifier.depth)
            scores: Tensor = classifier(below, batch)
        return scores[np.argsort(batch.rows)]

    return logits


@pytest.fixture
def disturb() -> Callable[[Classifier], Classifier]:
    """Move what is trained, as training would, but further."""

    def move(classifier: Classifier) -> Classifier:
        torch.manual_seed(1)
        with torch.no_grad():
            for weight in classifier.parameters():
                if weight.requires_grad:
                    weight.add_(0.2 * torch.randn_like(weight))
        return classifier

    return move


@pytest.fixture
def save(tmp_path: Path) -> Callable[[dict[str, Any]], tuple[dict[str, Any], int]]:
    """A state as it comes back from a file, and the file's size in bytes."""

    def through(state: dict[str, Any]) -> tuple[dict[str, Any], int]:
        file = io.BytesIO()
        torch.save(state, file)
        size_bytes = file.tell()
        file.seek(0)
        loaded: dict[str, Any] = torch.load(file, weights_only=True)
        return loaded, size_bytes

    return through
