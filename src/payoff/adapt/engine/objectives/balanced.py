"""Losses for classes of very unequal size: weights of classes, or shifted logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError


@dataclass(frozen=True, slots=True)
class WeightedLoss:
    """Cross-entropy in which each class weighs by its effective number of texts.

    Summed over the batch and divided by its texts, not by their weights, so that a text of a rare
    class weighs the same in whatever batch it comes.

    Args:
        counts: Training texts of each class, ``n_labels`` of them, all above 0.
        beta: How soon another text of a class adds nothing new, in [0, 1): 0 weighs all classes
            alike, near 1 by the inverse of their counts.
        smoothing: Label smoothing.

    Raises:
        AdaptError: PF405 where a class has no text; PF406 where ``beta`` is out of range.
    """

    counts: tuple[int, ...]
    beta: float = 0.999
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        _require_texts(self.counts)
        if not 0 <= self.beta < 1:
            raise AdaptError("PF406", "class weights, beta", f"{self.beta}", expected="in [0, 1)")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        losses = functional.cross_entropy(
            classifier(hidden, batch), targets, reduction="none", label_smoothing=self.smoothing
        )
        weights = torch.from_numpy(effective_weights(self.counts, self.beta)).to(losses.dtype)
        return (weights[targets] * losses).mean()

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)

    @property
    def shift(self) -> NDArray[np.float64]:
        """What to add to the logits of a head that was fitted without weights, ``(n_labels,)``."""
        shift: NDArray[np.float64] = np.log(effective_weights(self.counts, self.beta))
        return shift


@dataclass(frozen=True, slots=True)
class LogitAdjustedLoss:
    """Cross-entropy of logits to which the logarithms of the classes' shares are added.

    What is left for the logits to learn is what the texts say beyond how frequent a class is, so
    that their largest is the best guess for balanced accuracy (Menon et al. 2021, equation 10).
    There is no label smoothing: its target, that all classes be a little likely, would contradict
    the shift where a class is rarer than the smoothing.

    Args:
        counts: Training texts of each class, ``n_labels`` of them, all above 0.
        tau: Times that the logarithms are added; 0 is plain cross-entropy.

    Raises:
        AdaptError: PF405 where a class has no text; PF406 where ``tau`` is negative.
    """

    counts: tuple[int, ...]
    tau: float = 1.0

    def __post_init__(self) -> None:
        _require_texts(self.counts)
        if not 0 <= self.tau < float("inf"):
            raise AdaptError("PF406", "logit adjustment, tau", f"{self.tau}", expected="0 or more")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        logits = classifier(hidden, batch)
        return functional.cross_entropy(
            logits - torch.from_numpy(self.shift).to(logits.dtype), targets
        )

    def mean_over(self, targets: Tensor) -> int:
        """The texts."""
        return len(targets)

    @property
    def shift(self) -> NDArray[np.float64]:
        """What to add to the logits of a head that was fitted without it, ``(n_labels,)``.

        That is adjustment after the training (Menon et al. 2021, equation 9).
        """
        counts = np.asarray(self.counts, dtype=np.float64)
        shift: NDArray[np.float64] = -self.tau * np.log(counts / counts.sum())
        return shift


def effective_weights(counts: tuple[int, ...], beta: float) -> NDArray[np.float64]:
    """Weights of classes, inverse to their effective numbers, ``(n_labels,)``.

    The effective number of ``n`` texts is ``(1 - beta ** n) / (1 - beta)``; the weights sum to the
    number of classes (Cui et al. 2019, proposition 1 and section 4).

    Example:
        >>> effective_weights((1, 3), 0.999).round(2).tolist()
        [1.5, 0.5]
    """
    if beta == 0:
        return np.ones(len(counts))
    # The factor 1 - beta is the same for all, and goes away as they are scaled.
    inverse = 1 / -np.expm1(np.asarray(counts, dtype=np.float64) * np.log(beta))
    weights: NDArray[np.float64] = inverse * len(counts) / inverse.sum()
    return weights


def _require_texts(counts: tuple[int, ...]) -> None:
    empty = [index for index, count in enumerate(counts) if count < 1]
    if empty:
        raise AdaptError(
            "PF405",
            "balancing of classes",
            f"{len(empty)} of {len(counts)} classes have no training text"
            f" (the first is number {empty[0] + 1})",
            mend="Leave these classes out, or label texts of them.",
        )
