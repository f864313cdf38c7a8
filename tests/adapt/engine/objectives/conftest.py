from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed, pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.trunk import Trunk

ROWS = np.array([3, 17, 40, 8, 25, 31, 52, 11, 46, 5])


@dataclass(frozen=True)
class Step:
    """What an objective is called with."""

    classifier: Classifier
    hidden: Tensor
    batch: Packed
    targets: Tensor

    def loss(self, objective: Objective) -> Tensor:
        return objective(self.classifier, self.hidden, self.batch, self.targets)

    def gradients(self, objective: Objective) -> dict[str, Tensor]:
        """Of the trained weights, by one step backward from the one scalar."""
        self.classifier.zero_grad(set_to_none=True)
        loss = self.loss(objective)
        assert loss.shape == ()
        loss.backward()  # type: ignore[no-untyped-call]
        named = self.classifier.named_parameters()
        return {name: p.grad.clone() for name, p in named if p.grad is not None}

    def logits(self) -> np.ndarray:
        """``(n_texts, n_labels)`` in double precision."""
        with torch.no_grad():
            return self.classifier(self.hidden, self.batch).double().numpy()

    @property
    def truth(self) -> np.ndarray:
        return self.targets.numpy()

    def texts(self, values: Tensor) -> list[np.ndarray]:
        """Tokens of each text, in double precision."""
        parts = []
        for start, count, length in self.batch.groups:
            part = values[start : start + count * length].detach().double().numpy()
            parts += list(part.reshape(count, length, -1))
        return parts


@pytest.fixture
def step(
    make_trunk: Callable[[], Trunk], encoder: Encoder, some_targets: np.ndarray
) -> Callable[..., Step]:
    """A batch of three classes; ``depth`` 2 leaves no layer above the activations."""

    def make(depth: int = 1, rows: np.ndarray = ROWS) -> Step:
        rng = np.random.default_rng(1)
        weight = 3 * rng.normal(size=(3, 32)).astype(np.float32)
        classifier = Classifier(encoder, depth, weight, rng.normal(size=3).astype(np.float32))
        trunk = make_trunk()
        batch = pack(trunk.tokens, rows)
        targets = torch.from_numpy(some_targets)[batch.rows]
        return Step(classifier, trunk.below(depth, batch), batch, targets)

    return make
