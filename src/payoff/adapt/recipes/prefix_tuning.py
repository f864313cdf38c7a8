"""Prefix tuning: keys and values that every text attends to as well, in the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.prefix import Prefix
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class PrefixTuning(Tuned):
    """Train keys and values alone; they are served as a part of the model."""

    name = "prefix-tuning"
    defaults: tuple[tuple[str, Any], ...] = (("vectors", 10), ("rate", 5e-3))
    ranges: tuple[tuple[str, Range], ...] = (("vectors", Range(3, 30, log=True)),)

    def adaptation(self, candidate: Candidate) -> Prefix:
        """As many keys and values a layer as the candidate says."""
        return Prefix(candidate["vectors"])

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate; no decay, since a key of 0 is not one without effect."""
        usual = super().schedule(candidate, bench)
        return replace(usual, learning_rate=candidate["rate"], weight_decay=0.0)
