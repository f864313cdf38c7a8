"""Cross-entropy with soft targets, for grades in an order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


@dataclass(frozen=True, slots=True)
class SoftGrades:
    """A grade's neighbours are a little right too (Diaz & Marathe 2019).

    Args:
        sharpness: A target falls off by ``exp(−sharpness · distance²)``; at 2, a grade between
            two others has 0.79 and each neighbour 0.11.
    """

    sharpness: float = 2.0

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch; ``targets`` are indices of grades, ``(n_texts,)``."""
        logits = classifier(hidden, batch)
        away = torch.arange(logits.shape[1])[None, :] - targets[:, None]
        wanted = (-self.sharpness * away.to(logits.dtype) ** 2).softmax(dim=1)
        return functional.cross_entropy(logits, wanted)

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
