"""Bottleneck adapters: small networks between a layer's parts (Houlsby et al. 2019, section 2.1).

They cannot be folded into the layers, and are served as a part of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.settings import check_positive
from payoff.adapt.engine.classifier import Classifier


class Adapter(nn.Module):
    """``x + up(gelu(down(x)))``, which starts as ``x``.

    Args:
        width: Of what comes in and goes out.
        size: Of what is between.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        for start in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(start)

    def forward(self, hidden: Tensor) -> Tensor:
        """``(n_tokens, width)`` to the same shape."""
        out: Tensor = hidden + self.up(functional.gelu(self.down(hidden)))
        return out


@dataclass(frozen=True, slots=True)
class Bottleneck(Adaptation):
    """Train two adapters a layer and, as the paper does, the layers' normalisations.

    Args:
        size: Width inside of an adapter.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    size: int = 64

    def __post_init__(self) -> None:
        check_positive(size=self.size)

    def attach(self, classifier: Classifier) -> None:
        """Put one adapter behind attention and one behind the feed-forward part."""
        width = classifier.head.in_features
        for layer in classifier.own_layers():
            layer.attention_adapter = Adapter(width, self.size)
            layer.inner_adapter = Adapter(width, self.size)
            layer.attention_norm.requires_grad_(True)
            layer.norm.requires_grad_(True)
