"""(IA)³: factors for what leaves and enters the matrices of the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.scaling import Scaling
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Ia3(Tuned):
    """Train factors alone; served folded into the matrices, at no cost."""

    name = "ia3"
    defaults: tuple[tuple[str, Any], ...] = (("rate", 1e-2),)

    def adaptation(self, candidate: Candidate) -> Scaling:
        """Factors behind queries, keys and values and inside the feed-forward part."""
        return Scaling()

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate; no decay, since factors belong near 1 and not near 0."""
        usual = super().schedule(candidate, bench)
        return replace(usual, learning_rate=candidate["rate"], weight_decay=0.0)
