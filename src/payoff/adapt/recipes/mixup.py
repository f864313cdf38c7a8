"""Fine-tuning on mixtures of texts' vectors."""

from __future__ import annotations

from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Mixup(Tuned):
    """Vectors and labels of the texts of a batch are mixed in pairs (Zhang et al. 2018)."""

    name = "mixup"
    defaults = (("alpha", 0.2),)
    ranges = (("alpha", Range(0.05, 1.0, log=True)),)

    def objective(self, candidate: Candidate, bench: Workbench) -> MixupLoss:
        """Cross-entropy of the mixtures."""
        return MixupLoss(candidate["alpha"], seed=bench.seed)
