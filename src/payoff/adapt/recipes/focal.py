"""Fine-tuning in which texts that are right already count less."""

from __future__ import annotations

from payoff.adapt.engine.objectives.focal import FocalLoss
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Focal(Tuned):
    """The focal loss (Lin et al. 2017), whose ``gamma`` of 2 was theirs."""

    name = "focal"
    defaults = (("gamma", 2.0),)
    ranges = (("gamma", Range(0.5, 5.0)),)

    def objective(self, candidate: Candidate, bench: Workbench) -> FocalLoss:
        """The focal loss."""
        return FocalLoss(candidate["gamma"])
