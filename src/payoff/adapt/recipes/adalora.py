"""AdaLoRA: low-rank additions whose ranks go to the matrices where they matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.adaptive_low_rank import AdaptiveLowRank
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class AdaLora(Tuned):
    """Like LoRA, from more ranks than are wanted down to the most important ones."""

    name = "adalora"
    defaults: tuple[tuple[str, Any], ...] = (
        ("rank", 8),
        ("start_rank", 12),
        ("alpha", 32.0),
        ("rate", 5e-3),
    )
    ranges: tuple[tuple[str, Range], ...] = (("alpha", Range(8.0, 128.0, log=True)),)

    def adaptation(self, candidate: Candidate) -> AdaptiveLowRank:
        """AdaLoRA of the candidate's ranks."""
        return AdaptiveLowRank(candidate["rank"], candidate["start_rank"], candidate["alpha"])

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate; no decay, which would pull against the penalty."""
        usual = super().schedule(candidate, bench)
        return replace(usual, learning_rate=candidate["rate"], weight_decay=0.0)
