"""Huber's error of a standardised number."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Huber:
    """Half the squared error up to ``delta``, linear beyond (Huber 1964).

    Args:
        mean: Taken from each target.
        scale: Divides what is left.
        delta: In standard deviations.
    """

    mean: float
    scale: float
    delta: float = 1.0

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch; ``targets`` are numbers in their own unit, ``(n_texts,)``."""
        outputs = classifier(hidden, batch)[:, 0]
        wanted = ((targets - self.mean) / self.scale).to(outputs.dtype)
        return functional.huber_loss(outputs, wanted, delta=self.delta)

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
