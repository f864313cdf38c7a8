"""BitFit: only what is added and how it is normalised (Ben Zaken et al. 2022, section 3)."""

from __future__ import annotations

from torch import nn

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier


class Biases(Adaptation):
    """Train all biases of the layers, and the weights of their normalisations."""

    def attach(self, classifier: Classifier) -> None:
        """Mark them; nothing is added."""
        for module in classifier.layers.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(True)
            elif isinstance(module, nn.Linear):
                module.bias.requires_grad_(True)
