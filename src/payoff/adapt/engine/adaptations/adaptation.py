"""The interface of every parameter-efficient way to train a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from payoff.adapt.engine.classifier import Classifier


class Adaptation:
    """Chooses which weights of a classifier's layers are trained, and may add weights of its own.

    The head is always trained. A classifier comes with all its layers frozen; `attach` is called
    once, at its end, before any weights are loaded into it.
    """

    def attach(self, classifier: Classifier) -> None:
        """Add weights and mark what is trained."""
        raise NotImplementedError

    def penalty(self, classifier: Classifier) -> Tensor | None:
        """A term added to the loss of each step; None for none."""
        return None

    def after_step(self, classifier: Classifier, step: int, n_steps: int) -> None:
        """Called after each optimiser step, gradients still there, with the steps done so far."""

    def merge(self, classifier: Classifier) -> None:
        """Fold what was added into the layers where that is possible, for export.

        Afterwards the layers, the prompt and the prefixes are all that serving needs; outputs
        stay as they were but for rounding.
        """

    def keep_apart(self, classifier: Classifier) -> None:
        """Make ready for an export that leaves every frozen weight as it was pretrained.

        Afterwards, too, the layers, the prompt and the prefixes are all that serving needs; what
        was trained is what requires a gradient. Where `merge` changes no frozen weight, this is
        the same.
        """
        self.merge(classifier)
