"""A narrower student: some neurons of every feed-forward layer, the others left out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Layer
from payoff.core.errors import AdaptError


class NarrowerLayers(Adaptation):
    """Keep so many feed-forward neurons in each of a classifier's layers, and train the rest.

    A neuron counts by the size of what goes into it times the size of what it adds (as filters in
    Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 3.1); training then heals what
    is missing (Xia et al. 2022, "CoFi").

    Args:
        kept: Neurons of a layer; at least 1.

    Raises:
        AdaptError: PF406 where there are not so many, or fewer than one is asked for.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept

    def attach(self, classifier: Classifier) -> None:
        """Leave neurons out."""
        for layer in classifier.layers:
            assert isinstance(layer, Layer)
            places = largest(layer.up.weight, layer.down.weight, self.kept)
            layer.up = _part(layer.up.weight[places], layer.up.bias[places])
            layer.down = _part(layer.down.weight[:, places], layer.down.bias)
        classifier.layers.requires_grad_(True)

    def merge(self, classifier: Classifier) -> None:
        """Nothing: what is left out is gone."""


def largest(up: Tensor, down: Tensor, kept: int) -> Tensor:
    """Which neurons are kept, rising, ``(kept,)``.

    Args:
        up: ``(n_neurons, width)``.
        down: ``(width, n_neurons)``.
        kept: How many.

    Raises:
        AdaptError: PF406 where there are not so many.

    Example:
        >>> up = torch.tensor([[1.0], [3.0], [2.0]])
        >>> largest(up, torch.ones(1, 3), 2).tolist()
        [1, 2]
    """
    if not 1 <= kept <= len(up):
        raise AdaptError(
            "PF406", "setting 'neurons'", f"{kept}", expected=f"1 to {len(up)} for this encoder"
        )
    sizes = up.detach().norm(dim=1) * down.detach().norm(dim=0)
    return torch.argsort(sizes, descending=True, stable=True)[:kept].sort().values


def _part(weight: Tensor, bias: Tensor) -> nn.Linear:
    n_outputs, n_inputs = weight.shape
    made = nn.Linear(n_inputs, n_outputs)
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    return made
