"""Mixup: the classifier also learns between the texts of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.core.errors import AdaptError


@dataclass(frozen=True, slots=True)
class MixupLoss:
    """Cross-entropy of mixed vectors, shared between the labels of the two texts mixed.

    Each text's vector is mixed with that of another text of the batch, as in manifold mixup
    (Verma et al. 2019, section 2) of the layer below the head; shares are drawn from
    ``Beta(alpha, alpha)`` (Zhang et al. 2018, section 2). Vectors are mixed once normalised, and
    normalised again, since the head knows vectors of length 1 only (or, of texts of several pieces,
    shorter ones: then to the mix of their lengths).

    Args:
        alpha: Above 0; small values mix little.
        smoothing: Label smoothing.
        seed: Of the training.

    Raises:
        AdaptError: PF406 where ``alpha`` is not above 0.
    """

    alpha: float = 0.2
    smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < float("inf"):
            raise AdaptError("PF406", "mixup, alpha", f"{self.alpha}", expected="above 0")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        vectors = classifier.vectors(hidden, batch)
        rng = np.random.default_rng(batch_seed(batch, self.seed))
        shares = torch.from_numpy(rng.beta(self.alpha, self.alpha, len(targets))).to(vectors.dtype)
        others = torch.from_numpy(rng.permutation(len(targets)))
        share = shares[:, None]
        mixed = functional.normalize(share * vectors + (1 - share) * vectors[others], dim=1)
        if batch.pieces is not None:  # the means of several vectors, which are shorter
            length = vectors.detach().norm(dim=1, keepdim=True)
            mixed = mixed * (share * length + (1 - share) * length[others])
        logits = classifier.head(mixed)

        def losses(truth: Tensor) -> Tensor:
            return functional.cross_entropy(
                logits, truth, reduction="none", label_smoothing=self.smoothing
            )

        return (shares * losses(targets) + (1 - shares) * losses(targets[others])).mean()
