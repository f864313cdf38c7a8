"""Prompt tuning and P-tuning: trained vectors before the tokens of every text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.random_words import random_words
from payoff.adapt.engine.adaptations.settings import check_positive
from payoff.adapt.engine.classifier import Classifier


class Vectors(nn.Module):
    """Some vectors, trained as they are.

    Args:
        start: Where they start.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(start.clone())

    def forward(self) -> Tensor:
        """The vectors."""
        return self.values


class Network(nn.Module):
    """Vectors made by a small network from trained ones, ``v + last(gelu(first(lstm(v))))``.

    The recurrent layer reads the vectors in both directions, as words of a text.

    Args:
        start: Where they start, ``(n, width)``; the network adds nothing at first.
        inner: Width inside of the network; the recurrent layer has half of it a direction.
    """

    def __init__(self, start: Tensor, inner: int) -> None:
        super().__init__()
        self.values = nn.Parameter(start.clone())
        last = nn.Linear(inner, start.shape[1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        half = (inner + 1) // 2
        self.recurrent = nn.LSTM(start.shape[1], half, bidirectional=True)
        self.network = nn.Sequential(nn.Linear(2 * half, inner), nn.GELU(), last)

    def forward(self) -> Tensor:
        """The vectors, ``(n, width)``."""
        read, _ = self.recurrent(self.values)
        out: Tensor = self.values + self.network(read)
        return out


class Prompt(Adaptation):
    """Train vectors that stand before the tokens entering the classifier's first layer.

    They start as activations there of random words (Lester et al. 2021, sections 2 and 3.2; there
    the first layer is the encoder's own).

    Args:
        vectors: How many.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    def __init__(self, vectors: int = 20) -> None:
        check_positive(vectors=vectors)
        self.vectors = vectors

    def attach(self, classifier: Classifier) -> None:
        """Add the vectors; all layers stay frozen."""
        encoder = classifier.trunk[0]
        words = random_words(encoder, self.vectors)
        with torch.no_grad():
            hidden = encoder.run(encoder.embed(words), words, last=classifier.depth)
        classifier.prompt = self._module(hidden[: self.vectors])

    def _module(self, start: Tensor) -> nn.Module:
        return Vectors(start)


class MadePrompt(Prompt):
    """P-tuning: the vectors are made by a recurrent layer and a small network.

    Liu et al. 2021, section 3.2: a bidirectional LSTM, so that the vectors depend on each other,
    then two linear layers. The paper has no short cut around them; this one is that of residual
    prompt tuning (Razdaibiedina et al. 2023, section 3), and lets the network start at nothing.
    Serving knows the vectors alone.

    Args:
        vectors: How many.
        inner: Width inside of the network.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    def __init__(self, vectors: int = 20, inner: int = 128) -> None:
        super().__init__(vectors)
        check_positive(inner=inner)
        self.inner = inner

    def _module(self, start: Tensor) -> nn.Module:
        return Network(start, self.inner)

    def merge(self, classifier: Classifier) -> None:
        """Keep what the network makes, and drop the network."""
        prompt: Any = classifier.prompt
        classifier.prompt = Vectors(prompt().detach())
