"""Fine-tuning that holds where activations are moved a little to where it hurts most."""

from __future__ import annotations

from payoff.adapt.engine.objectives.adversarial import FGMLoss, FreeLBLoss
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class FGM(Tuned):
    """One step up the gradient (Miyato et al. 2017)."""

    name = "fgm"
    defaults = (("radius", 0.02),)
    ranges = (("radius", Range(0.005, 0.1, log=True)),)

    def passes(self, candidate: Candidate) -> float:
        """Where the text is, and a step from there."""
        return 2.0

    def objective(self, candidate: Candidate, bench: Workbench) -> FGMLoss:
        """The mean loss of both points."""
        return FGMLoss(candidate["radius"])


class FreeLB(Tuned):
    """A few steps up the gradient, all of which are learnt from (Zhu et al. 2020)."""

    name = "freelb"
    defaults = (("radius", 0.02), ("steps", 3))
    ranges = (("radius", Range(0.005, 0.1, log=True)),)

    def passes(self, candidate: Candidate) -> float:
        """One for each step."""
        return float(candidate["steps"])

    def objective(self, candidate: Candidate, bench: Workbench) -> FreeLBLoss:
        """The mean loss of all points."""
        return FreeLBLoss(candidate["radius"], candidate["steps"], seed=bench.seed)
