"""Bottleneck adapters (Houlsby et al. 2019) in the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.bottleneck import Bottleneck
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class BottleneckAdapter(Tuned):
    """Train two small networks a layer; they are served as a part of the model."""

    name = "adapter"
    defaults: tuple[tuple[str, Any], ...] = (("size", 64), ("rate", 1e-3))
    ranges: tuple[tuple[str, Range], ...] = (("size", Range(16, 256, log=True)),)

    def adaptation(self, candidate: Candidate) -> Bottleneck:
        """Adapters of the candidate's size."""
        return Bottleneck(candidate["size"])

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate."""
        return replace(super().schedule(candidate, bench), learning_rate=candidate["rate"])
