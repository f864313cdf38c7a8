"""Contrastive fine-tuning on sampled pairs: texts of one class together, others apart.

All pairs of 770 texts are 296,065 and of 10,000 fifty million; here each step takes a few texts of
a few classes, and every pair of that batch counts (Khosla et al. 2020, section 3.2). What SetFit
(Tunstall et al. 2022, section 3) does for a list of pairs is so done for a batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.engine.objectives.cross_entropy import contrastive
from payoff.adapt.engine.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Contrast:
    """Supervised contrastive loss alone; the head takes no part.

    Args:
        temperature: Above 0; the smaller, the more the nearest texts count.
    """

    temperature: float = 0.1

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        return contrastive(classifier.vectors(hidden, batch), targets, self.temperature)


class ContrastiveTuning(FineTuning):
    """Fine-tuning on balanced batches: an epoch is one batch, drawn anew from its number.

    Args:
        classifier: Its layers are trained; its head stays as it is, for the loss has no gradient
            for it.
        trunk: All texts below ``schedule.depth``.
        targets: Class of each text, ``(n_texts,)``.
        texts_a_class: Texts of a class in a batch, where there are classes enough to fill it.
        rest: As of `FineTuning`; ``schedule.epochs`` are the steps.
    """

    def __init__(
        self,
        classifier: Classifier,
        trunk: Trunk,
        targets: NDArray[np.int64],
        *,
        texts_a_class: int = 4,
        **rest: Any,
    ) -> None:
        self.texts_a_class = texts_a_class
        self._classes = targets
        super().__init__(classifier, trunk, targets, **rest)

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self.schedule.seed, epoch])
            batch = balanced(
                self._classes[self.rows], self.schedule.batch_texts, self.texts_a_class, rng
            )
            self._epoch = (epoch, [self.rows[batch]])
        return self._epoch[1]


def balanced(
    targets: NDArray[np.int64], n_texts: int, texts_a_class: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Some texts each of some classes.

    Where there are fewer classes than would fill the batch, more texts of each are taken; of a
    class that has fewer texts, all.

    Args:
        targets: Class of each text that may be taken, ``(n,)``.
        n_texts: Texts in a batch, at most, unless it takes more for two of each of two classes.
        texts_a_class: How many of each class.
        rng: Chooses classes and texts.

    Returns:
        Indices into ``targets``, each at most once.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> chosen = balanced(np.repeat(np.arange(5), 10), 6, 3, rng)
        >>> np.unique(np.repeat(np.arange(5), 10)[chosen], return_counts=True)[1].tolist()
        [3, 3]
    """
    classes = np.unique(targets)
    n_classes = min(len(classes), max(2, n_texts // texts_a_class))
    each = max(2, n_texts // n_classes)
    chosen = []
    for label in rng.choice(classes, n_classes, replace=False):
        own = np.flatnonzero(targets == label)
        chosen.append(rng.choice(own, min(each, len(own)), replace=False))
    return np.concatenate(chosen)
