"""Cross-entropy with label smoothing, and a pull of texts of one class towards each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy, with a supervised contrastive term where ``contrast`` is above 0.

    Args:
        smoothing: Label smoothing (Szegedy et al. 2016, section 7).
        contrast: Weight of the contrastive term (Khosla et al. 2020, equation 2; added to
            cross-entropy as in Gunel et al. 2021, equation 1).
        temperature: Of the contrastive term.
    """

    smoothing: float = 0.1
    contrast: float = 0.0
    temperature: float = 0.1

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        vectors = classifier.vectors(hidden, batch)
        logits = classifier.head(vectors)
        loss = functional.cross_entropy(logits, targets, label_smoothing=self.smoothing)
        if self.contrast > 0:
            loss = loss + self.contrast * contrastive(vectors, targets, self.temperature)
        return loss

    def mean_over(self, targets: Tensor) -> int | None:
        """The texts; None with the contrastive term, which compares them with each other."""
        return None if self.contrast > 0 else len(targets)


def contrastive(vectors: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss of a batch (Khosla et al. 2020, equation 2).

    Texts without another of their class in the batch are left out; 0 where no text has one.

    Args:
        vectors: Normalised, ``(n_texts, width)``.
        targets: ``(n_texts,)``.
        temperature: Above 0; the smaller, the more the nearest texts count.
    """
    n = len(targets)
    others = ~torch.eye(n, dtype=torch.bool)
    same = (targets[:, None] == targets[None, :]) & others
    n_same = same.sum(dim=1)
    if not bool(n_same.any()):
        return vectors.sum() * 0.0
    similarity = (vectors @ vectors.T / temperature).masked_fill(~others, -torch.inf)
    log_share = similarity.log_softmax(dim=1).masked_fill(~same, 0.0)
    return -(log_share.sum(dim=1)[n_same > 0] / n_same[n_same > 0]).mean()
