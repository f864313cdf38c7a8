"""Fine-tuning on mixtures of texts' vectors."""

from __future__ import annotations

from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Mixup(Tuned):
    """Vectors and labels of the texts of a batch are mixed in pairs (Zhang et al. 2018)."""

    name = "mixup"
    defaults = (("alpha", 0.2),)

    def objective(self, candidate: Candidate, bench: Workbench) -> MixupLoss:
        """Cross-entropy of the mixtures."""
        return MixupLoss(candidate["alpha"], seed=bench.seed)
