"""Prefix tuning: trained keys and values that every text attends to as well.

Li & Liang 2021, section 4; in every trained layer and without their network, as Liu et al. 2022
("P-Tuning v2", section 3.2) do for classification.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.prompt import Vectors
from payoff.adapt.engine.adaptations.random_words import random_words
from payoff.adapt.engine.adaptations.settings import check_positive
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Layer

_SAMPLE = 256  # tokens of random words
_SHARE = 0.02  # of the attention, for all prefixes together at the start
_RIDGE = 0.01  # of the queries' own variance; keeps the keys' sizes bounded


@dataclass(frozen=True, slots=True)
class Prefix(Adaptation):
    """Train ``vectors`` keys and values a head of each layer.

    Values start as those of random words. Keys start so that the queries of random words give them
    about one low score, and outputs are hardly changed: a prefix that took its share of attention
    at once would undo the head's start.

    Args:
        vectors: How many a layer.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    vectors: int = 10

    def __post_init__(self) -> None:
        check_positive(vectors=self.vectors)

    def attach(self, classifier: Classifier) -> None:
        """Add the keys and values; all layers stay frozen."""
        encoder = classifier.trunk[0]
        words = random_words(encoder, max(self.vectors, _SAMPLE))
        bias = encoder.relative_bias(words.groups[0][2])
        with torch.no_grad():
            hidden = encoder.run(encoder.embed(words), words, last=classifier.depth)
            for layer in classifier.own_layers():
                start = self._start(layer, hidden, words.groups[0][2])
                hidden = layer(hidden, words.groups, bias)
                layer.prefix = Vectors(start)

    def _start(self, layer: Layer, hidden: Tensor, length: int) -> Tensor:
        """Keys and values for texts of ``length`` tokens, ``(2, heads, n, width / heads)``."""
        n = self.vectors
        made = layer.qkv(hidden).view(len(hidden), 3, layer.heads, -1).permute(1, 2, 0, 3)
        query, key, value = made[0], made[1], made[2]  # (heads, tokens, size)
        size = query.shape[2]
        scores = query @ key.transpose(1, 2) / math.sqrt(size)
        usual = scores.logsumexp(2).mean(1) - math.log(len(hidden) / length)  # of one text
        low = usual + math.log(_SHARE / n)
        # Least squares: the key to which all queries give the score `low`.
        gram = query.transpose(1, 2) @ query
        ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)
        gram = gram + ridge[:, None, None] * torch.eye(size)
        away = torch.linalg.solve(gram, query.sum(1)) * (low * math.sqrt(size))[:, None]
        noise = 0.02 * key.std(dim=(1, 2))[:, None, None] * torch.randn(layer.heads, n, size)
        return torch.stack([away[:, None] + noise, value[:, :n]])
