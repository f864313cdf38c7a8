"""Fine-tuning that also pulls texts of one class together."""

from __future__ import annotations

from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Contrast(Tuned):
    """Cross-entropy and a supervised contrastive term (Gunel et al. 2021)."""

    name = "contrast"
    defaults = (("contrast", 0.1),)
    ranges = (("contrast", Range(0.02, 0.5, log=True)),)

    def objective(self, candidate: Candidate, bench: Workbench) -> CrossEntropy:
        """Both terms; ``contrast`` weighs the second."""
        return CrossEntropy(contrast=candidate["contrast"])
