"""Cross-entropy over tokens, for taggers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.tag_windows import IGNORED


@dataclass(frozen=True, slots=True)
class TokenCrossEntropy:
    """Mean cross-entropy of the tokens that count, with label smoothing.

    Args:
        smoothing: Label smoothing (Szegedy et al. 2016, section 7).
    """

    smoothing: float = 0.1

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch; ``targets`` are tags, ``(n_tokens,)``."""
        logits: Tensor = classifier(hidden, batch)
        if not bool((targets != IGNORED).any()):
            return logits.sum() * 0.0
        return functional.cross_entropy(
            logits, targets, ignore_index=IGNORED, label_smoothing=self.smoothing
        )

    def mean_over(self, targets: Tensor) -> int:
        """The tokens that count."""
        return int((targets != IGNORED).sum())
