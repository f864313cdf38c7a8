"""Focal loss: texts that are right already count less."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError

_LEAST_WRONG = 1e-7  # below it a power under 1 would have an infinite slope


@dataclass(frozen=True, slots=True)
class FocalLoss:
    """Cross-entropy times the share that is still wrong (Lin et al. 2017, equation 4).

    ``-(1 - p) ** gamma * log(p)`` with ``p`` the probability of the right class, in the mean over
    the batch.

    Args:
        gamma: How much less a text counts that is nearly right; 0 is plain cross-entropy.

    Raises:
        AdaptError: PF406 where ``gamma`` is negative.
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < float("inf"):
            raise AdaptError("PF406", "focal loss, gamma", f"{self.gamma}", expected="0 or more")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        logs = classifier(hidden, batch).log_softmax(dim=1)
        right = logs.gather(1, targets[:, None]).squeeze(1)
        wrong = (-torch.expm1(right)).clamp_min(_LEAST_WRONG)
        loss: Tensor = -(wrong**self.gamma * right).mean()
        return loss

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
