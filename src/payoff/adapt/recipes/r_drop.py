"""Fine-tuning in which two passes with dropout shall agree."""

from __future__ import annotations

from payoff.adapt.engine.objectives.r_drop import RDropLoss
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class RDrop(Tuned):
    """Two passes a step, and their divergence as a part of the loss (Liang et al. 2021)."""

    name = "r-drop"
    defaults = (("alpha", 1.0), ("rate", 0.1))
    ranges = (("alpha", Range(0.2, 5.0, log=True)), ("rate", Range(0.05, 0.3)))

    def passes(self, candidate: Candidate) -> float:
        """Two."""
        return 2.0

    def objective(self, candidate: Candidate, bench: Workbench) -> RDropLoss:
        """Cross-entropy and divergence."""
        return RDropLoss(candidate["alpha"], candidate["rate"], seed=bench.seed)
