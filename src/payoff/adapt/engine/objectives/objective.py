"""The interface of every training objective."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


class Objective(Protocol):
    """From a batch to the loss that a step goes down."""

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss, a scalar with a gradient.

        Args:
            classifier: What is trained; may be called more than once.
            hidden: Activations below its first own layer, ``(n_tokens, width)``, no gradient.
            batch: How the tokens belong to texts.
            targets: Class of each text of the batch, in its order, ``(n_texts,)``.
        """
