"""LoRA: low-rank additions beside the matrices of the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class Lora(Tuned):
    """Train two thin matrices beside each matrix; served folded into it, at no cost."""

    name = "lora"
    defaults: tuple[tuple[str, Any], ...] = (
        ("rank", 8),
        ("alpha", 16.0),
        ("targets", "qkv+out+up+down"),
        ("rate", 2e-3),
    )
    ranges: tuple[tuple[str, Range], ...] = (
        ("rank", Range(2, 32, log=True)),
        ("alpha", Range(4.0, 64.0, log=True)),
        ("targets", Range(choices=("qkv+out+up+down", "qkv+out", "qkv"))),
    )

    def adaptation(self, candidate: Candidate) -> LowRank:
        """LoRA of the candidate's rank."""
        targets = tuple(candidate["targets"].split("+"))
        return LowRank(candidate["rank"], candidate["alpha"], targets)

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate."""
        return replace(super().schedule(candidate, bench), learning_rate=candidate["rate"])
