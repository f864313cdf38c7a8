"""A shallower student: some layers of the encoder, the others left out."""

from __future__ import annotations

from torch import nn

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError


class FewerLayers(Adaptation):
    """Keep so many of a classifier's layers, evenly spread, and train them all.

    A student that starts from layers of its teacher's kind learns faster than one from nothing
    (Sanh et al. 2019, "DistilBERT", section 3). The first and the last layer are always kept, or
    the first alone.

    Args:
        kept: How many layers; at least 1.

    Raises:
        AdaptError: PF406 where there are not so many, or fewer than one is asked for.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept

    def attach(self, classifier: Classifier) -> None:
        """Leave layers out."""
        places = spread(len(classifier.layers), self.kept)
        classifier.layers = nn.ModuleList(classifier.layers[place] for place in places)
        classifier.layers.requires_grad_(True)

    def merge(self, classifier: Classifier) -> None:
        """Nothing: what is left out is gone."""


def spread(n_layers: int, kept: int) -> list[int]:
    """Which layers are kept.

    Raises:
        AdaptError: PF406 where there are not so many.

    Example:
        >>> spread(6, 3), spread(6, 6), spread(12, 1)
        ([0, 2, 5], [0, 1, 2, 3, 4, 5], [0])
    """
    if not 1 <= kept <= n_layers:
        raise AdaptError(
            "PF406", "setting 'layers'", f"{kept}", expected=f"1 to {n_layers} for this encoder"
        )
    if kept == 1:
        return [0]
    return [round(place * (n_layers - 1) / (kept - 1)) for place in range(kept)]
