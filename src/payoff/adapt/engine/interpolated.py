"""Weights between the pretrained ones and the tuned ones."""

from __future__ import annotations

import torch

from payoff.adapt.engine.classifier import Classifier


def interpolated(classifier: Classifier, share: float) -> Classifier:
    """A classifier whose layers went only a share of the way from the pretrained weights.

    Few texts pull an encoder further than they can justify; half way keeps most of what was
    learnt and of what was known (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models",
    equation 1). It costs nothing when it is served.

    Args:
        classifier: As trained, without an adaptation; stays as it is.
        share: 0 gives the pretrained layers, 1 the tuned ones.

    Returns:
        A new classifier with the same head.
    """
    encoder, head = classifier.trunk[0], classifier.head
    found = Classifier(
        encoder, classifier.depth, head.weight.detach().numpy(), head.bias.detach().numpy()
    )
    with torch.no_grad():
        pairs = zip(found.layers.parameters(), classifier.layers.parameters(), strict=True)
        for weight, tuned in pairs:
            weight.lerp_(tuned, share)
    return found.eval()
