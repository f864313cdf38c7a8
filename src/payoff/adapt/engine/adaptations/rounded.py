"""Training with weights of a few bits, so that rounding them afterwards costs little."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError

FEWEST_BITS, MOST_BITS = 2, 8


class RoundedWeights(Adaptation):
    """Train all layers while every matrix is used as it will be served: in steps of its rows.

    A row's step is its largest weight over ``2^(bits-1) - 1``. The gradient goes past the rounding
    as if it were not there (Bengio et al. 2013, "Estimating or Propagating Gradients", section 4;
    Jacob et al. 2018, section 3). Biases and normalisations stay whole, and so does the head.

    Args:
        bits: Of a weight, from 2 to 8; all values but the most negative are used, so that rows are
            symmetric.

    Raises:
        AdaptError: PF406 for another number of bits.
    """

    def __init__(self, bits: int) -> None:
        if not FEWEST_BITS <= bits <= MOST_BITS:
            raise AdaptError(
                "PF406", "setting 'bits'", f"{bits}", expected=f"{FEWEST_BITS} to {MOST_BITS}"
            )
        self.bits = bits

    def attach(self, classifier: Classifier) -> None:
        """Mark all weights of the layers as trained, and round their matrices in every pass."""
        classifier.layers.requires_grad_(True)
        for linear in _matrices(classifier):
            parametrize.register_parametrization(linear, "weight", _Steps(self.bits))

    def merge(self, classifier: Classifier) -> None:
        """Leave the rounded matrices in place of the whole ones."""
        for linear in _matrices(classifier):
            if parametrize.is_parametrized(linear, "weight"):
                parametrize.remove_parametrizations(linear, "weight", leave_parametrized=True)


class _Steps(nn.Module):
    """See `rounded`."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (rounded(weight.detach(), self.bits) - weight.detach())


def rounded(weight: Tensor, bits: int) -> Tensor:
    """Each row in whole steps of its own, ``(n_outputs, n_inputs)``.

    Example:
        >>> rounded(torch.tensor([[0.7, -0.21, 0.04], [0.0, 0.0, 0.0]]), 4).tolist()[1]
        [0.0, 0.0, 0.0]
        >>> [round(w, 4) for w in rounded(torch.tensor([[0.7, -0.21, 0.04]]), 4)[0].tolist()]
        [0.7, -0.2, 0.0]
    """
    step = weight.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    step = torch.where(step > 0, step, torch.ones_like(step))
    return (weight / step).round() * step


def _matrices(classifier: Classifier) -> list[nn.Linear]:
    return [m for m in classifier.layers.modules() if isinstance(m, nn.Linear)]
