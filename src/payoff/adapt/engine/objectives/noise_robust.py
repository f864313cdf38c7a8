"""Generalised cross-entropy: texts with wrong labels pull less."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError


@dataclass(frozen=True, slots=True)
class GeneralisedCrossEntropy:
    """``(1 - p ** q) / q``, between cross-entropy and mean absolute error.

    ``p`` is the probability of the label given; a text whose label the model finds unlikely has a
    gradient of ``p ** q`` times that of cross-entropy (Zhang & Sabuncu 2018, section 3.2).

    Args:
        q: In (0, 1]: towards 0 it is cross-entropy, at 1 half of the mean absolute error.

    Raises:
        AdaptError: PF406 where ``q`` is out of range.
    """

    q: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.q <= 1:
            raise AdaptError(
                "PF406", "generalised cross-entropy, q", f"{self.q}", expected="in (0, 1]"
            )

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        logs = classifier(hidden, batch).log_softmax(dim=1)
        given = logs.gather(1, targets[:, None]).squeeze(1)
        return (-torch.expm1(self.q * given) / self.q).mean()

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
