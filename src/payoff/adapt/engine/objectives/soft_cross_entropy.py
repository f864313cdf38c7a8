"""Cross-entropy with a whole distribution as the target of each text."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


@dataclass(frozen=True, slots=True)
class SoftCrossEntropy:
    """What a student minimises (Hinton et al. 2015, section 2, at a temperature of 1).

    Its targets are shares of each class, ``(n_texts, n_labels)``, whose rows sum to 1.
    """

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        return functional.cross_entropy(classifier(hidden, batch), targets)

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)
