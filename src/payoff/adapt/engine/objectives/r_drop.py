"""R-Drop: two passes with different parts dropped shall agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.core.errors import AdaptError


@dataclass(frozen=True, slots=True)
class RDropLoss:
    """Mean cross-entropy of two passes, and how far their answers are apart.

    Liang et al. 2021, section 2.1, with the mean of the two cross-entropies in place of their
    sum. The encoder has no dropout of its own, so it is applied to the activations that enter the
    classifier and to the vectors that enter the head.

    Args:
        alpha: Weight of the symmetric Kullback-Leibler divergence.
        rate: Share of the values dropped, in [0, 1).
        smoothing: Label smoothing of the cross-entropies.
        seed: Of the training.

    Raises:
        AdaptError: PF406 where ``alpha`` is negative or ``rate`` is out of range.
    """

    alpha: float = 1.0
    rate: float = 0.1
    smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < float("inf"):
            raise AdaptError("PF406", "R-Drop, alpha", f"{self.alpha}", expected="0 or more")
        if not 0 <= self.rate < 1:
            raise AdaptError("PF406", "R-Drop, rate", f"{self.rate}", expected="in [0, 1)")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        generator = torch.Generator().manual_seed(batch_seed(batch, self.seed))
        one, other = (self._logits(classifier, hidden, batch, generator) for _ in range(2))
        right = [
            functional.cross_entropy(logits, targets, label_smoothing=self.smoothing)
            for logits in (one, other)
        ]
        return (right[0] + right[1]) / 2 + self.alpha * apart(one, other)

    def mean_over(self, targets: Tensor) -> int:
        """The texts; both passes of a text are in the same part.

        What is dropped is drawn for each part by itself, so that a step in parts drops other values
        than the whole one would have, as many on average.
        """
        return len(targets)

    def _logits(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, generator: torch.Generator
    ) -> Tensor:
        vectors = classifier.vectors(self._dropped(hidden, generator), batch)
        logits: Tensor = classifier.head(self._dropped(vectors, generator))
        return logits

    def _dropped(self, values: Tensor, generator: torch.Generator) -> Tensor:
        """Each value gone with probability ``rate``, the others larger, so that the mean stays."""
        kept = torch.rand(values.shape, generator=generator) >= self.rate
        return values * kept / (1 - self.rate)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Mean symmetric Kullback-Leibler divergence of two sets of logits, ``(n, n_labels)`` each."""
    logs, other_logs = one.log_softmax(dim=1), other.log_softmax(dim=1)
    # Half of both divergences: their sum is that of (p - q) (log p - log q).
    return ((logs.exp() - other_logs.exp()) * (logs - other_logs)).sum(dim=1).mean() / 2
