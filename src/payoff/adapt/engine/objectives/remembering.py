"""Cross-entropy with what holds a classifier near to what it knew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed, pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.objectives.objective import Objective, mean_over
from payoff.adapt.engine.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Remembering:
    """An objective, elastic weight consolidation and distillation from the old model.

    Args:
        objective: What the texts are learnt by; cross-entropy where not given, which costs no
            second pass where there is distillation.
        smoothing: Label smoothing of that cross-entropy.
        shift: Added to the logits in that cross-entropy, ``(n_labels,)``: logarithms of how often
            a class is met in training over how often in truth (Menon et al. 2021, equation 10).
        consolidation: Weight of moving what mattered (Kirkpatrick et al. 2017, equation 3); 0 for
            none.
        weights: The weights before, by name; of the head, the rows of the old classes.
        fisher: How much each of them mattered, as `fisher` gives it.
        distillation: Weight of the old model's answers (Li & Hoiem 2016, equations 2 and 3); 0 for
            none.
        answers: The old model's logits for each text of the trunk, ``(n_texts, n_old)``.
        temperature: At which answers are compared; the loss is multiplied by its square, so that
            its gradient keeps its size (Hinton et al. 2015, section 2).
    """

    objective: Objective | None = None
    smoothing: float = 0.1
    shift: Tensor | None = None
    consolidation: float = 0.0
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    fisher: Mapping[str, Tensor] = field(default_factory=dict)
    distillation: float = 0.0
    answers: Tensor | None = None
    temperature: float = 2.0

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        distils = self.distillation > 0 and self.answers is not None
        logits = classifier(hidden, batch) if distils or self.objective is None else None
        if self.objective is not None:
            loss = self.objective(classifier, hidden, batch, targets)
        else:
            assert logits is not None
            shifted = logits if self.shift is None else logits + self.shift
            loss = functional.cross_entropy(shifted, targets, label_smoothing=self.smoothing)
        if self.consolidation > 0:
            loss = loss + self.consolidation / 2 * self.moved(classifier)
        if logits is not None and self.answers is not None and self.distillation > 0:
            loss = loss + self.distillation * self.unlike(logits, self.answers[batch.rows])
        return loss

    def mean_over(self, targets: Tensor) -> int | None:
        """As the objective says; consolidation is the same in every part."""
        return len(targets) if self.objective is None else mean_over(self.objective, targets)

    def moved(self, classifier: Classifier) -> Tensor:
        """Squared distance from the weights before, each times how much it mattered."""
        total = torch.zeros(())
        for name, weight in classifier.named_parameters():
            if name in self.fisher:
                before = self.weights[name]
                total = total + (self.fisher[name] * (weight[: len(before)] - before) ** 2).sum()
        return total

    def unlike(self, logits: Tensor, before: Tensor) -> Tensor:
        """Divergence of the answers on the old classes from those of the old model."""
        now = (logits[:, : before.shape[1]] / self.temperature).log_softmax(dim=1)
        then = (before / self.temperature).softmax(dim=1)
        return functional.kl_div(now, then, reduction="batchmean") * self.temperature**2


def fisher(
    classifier: Classifier, trunk: Trunk, rows: NDArray[np.int64], *, seed: int = 0
) -> dict[str, Tensor]:
    """Diagonal of the Fisher information of a classifier's trained weights, by name.

    The mean over texts of the squared gradient of the log-probability of a label that is drawn
    from the classifier's own answer (not of the text's true label: Kunstner et al. 2019,
    section 3), one text at a time.

    Args:
        classifier: In evaluation mode.
        trunk: The texts.
        rows: Which of them; a few hundred are enough.
        seed: Decides which labels are drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    trained = {n: p for n, p in classifier.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(weight) for name, weight in trained.items()}
    for row in rows:
        batch = pack(trunk.tokens, np.array([row]))
        logits = classifier(trunk.below(classifier.depth, batch), batch)
        drawn = torch.multinomial(logits.detach().softmax(dim=1), 1, generator=generator)[:, 0]
        loss = functional.cross_entropy(logits, drawn)
        slopes = torch.autograd.grad(loss, list(trained.values()))
        for name, slope in zip(trained, slopes, strict=True):
            total[name] += slope**2 / len(rows)
    return total
