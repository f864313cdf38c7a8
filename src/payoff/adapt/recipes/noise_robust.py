"""Fine-tuning that follows wrong labels less."""

from __future__ import annotations

from payoff.adapt.engine.objectives.noise_robust import GeneralisedCrossEntropy
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class NoiseRobust(Tuned):
    """Generalised cross-entropy (Zhang & Sabuncu 2018), whose ``q`` of 0.7 was theirs."""

    name = "noise-robust"
    defaults = (("q", 0.7),)
    ranges = (("q", Range(0.1, 0.9)),)

    def objective(self, candidate: Candidate, bench: Workbench) -> GeneralisedCrossEntropy:
        """Generalised cross-entropy."""
        return GeneralisedCrossEntropy(candidate["q"])
