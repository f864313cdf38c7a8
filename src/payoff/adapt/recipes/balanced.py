"""Fine-tuning in which rare classes matter as much as frequent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.objectives.balanced import LogitAdjustedLoss, WeightedLoss
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, did_you_mean

_WAYS = ("weights", "logit-adjustment")


class Balanced(Tuned):
    """Trained for balanced accuracy: by weights of classes, or by shifted logits.

    Its probabilities are those of a world in which all classes are as frequent. The head on frozen
    vectors from which it starts is shifted to that world too, so that no steps are spent on going
    there.
    """

    name = "balanced"
    defaults = (("how", "weights"),)
    ranges = (("how", Range(choices=_WAYS)),)

    def start(self, candidate: Candidate, bench: Workbench) -> TuneAttempt:
        """As others, from a shifted head."""
        return BalancedAttempt(self, candidate, bench)

    def objective(self, candidate: Candidate, bench: Workbench) -> WeightedLoss | LogitAdjustedLoss:
        """By the setting ``how``: ``weights`` or ``logit-adjustment``.

        Raises:
            AdaptError: PF406 where ``how`` is neither; PF405 where a class has no training text.
        """
        how = candidate["how"]
        counts = np.bincount(bench.train_targets, minlength=len(bench.labels)).tolist()
        if how == "weights":
            return WeightedLoss(tuple(counts))
        if how == "logit-adjustment":
            return LogitAdjustedLoss(tuple(counts))
        raise AdaptError(
            "PF406",
            "recipe 'balanced', setting 'how'",
            f"'{how}' is no way to balance",
            expected=" or ".join(f"'{way}'" for way in _WAYS),
            mend=did_you_mean(str(how), _WAYS),
        )


@dataclass
class BalancedAttempt(TuneAttempt):
    """A training whose head starts where the frequencies of the classes are taken out."""

    recipe: Balanced

    def _classifier(self, weight: NDArray[Any], bias: NDArray[Any]) -> Classifier:
        shift = self.recipe.objective(self.candidate, self.bench).shift
        return super()._classifier(weight, bias + shift)
