"""The interface of every training objective."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Mean(Protocol):
    """What an objective has too where it is a mean over texts or tokens, each by itself.

    A step of many tokens is then computed in parts, one after the other, whose gradients add up.
    The loss of any other objective is taken of the whole step at once.
    """

    def mean_over(self, targets: Tensor) -> int | None:
        """Over how many texts or tokens of a batch; None where it is no such mean after all.

        Args:
            targets: As of `Objective`.
        """


def mean_over(objective: object, targets: Tensor) -> int | None:
    """`Mean.mean_over` of an objective; None where it says nothing.

    Example:
        >>> import torch
        >>> from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
        >>> targets = torch.tensor([2, 0, 1])
        >>> mean_over(CrossEntropy(), targets), mean_over(CrossEntropy(contrast=0.1), targets)
        (3, None)
    """
    return objective.mean_over(targets) if isinstance(objective, Mean) else None
