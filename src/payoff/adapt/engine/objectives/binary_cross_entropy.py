"""Binary cross-entropy of each label by itself, for texts with any number of labels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


@dataclass(frozen=True, slots=True)
class BinaryCrossEntropy:
    """Mean over texts and labels.

    Args:
        smoothing: Pulls targets from 0 and 1 towards one half, by half of this. None unless
            asked for: most labels are absent, and a rare one would never be told from the rest.
    """

    smoothing: float = 0.0

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch; ``targets`` are 0 or 1, ``(n_texts, n_labels)``."""
        logits = classifier(hidden, batch)
        wanted = targets.to(logits.dtype) * (1 - self.smoothing) + self.smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits, wanted)

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
