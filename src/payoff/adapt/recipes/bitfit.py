"""BitFit: biases and normalisations of the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.biases import Biases
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class BitFit(Tuned):
    """Train no matrix but the head's."""

    name = "bitfit"
    defaults: tuple[tuple[str, Any], ...] = (("rate", 2e-3),)

    def adaptation(self, candidate: Candidate) -> Biases:
        """Biases and normalisations."""
        return Biases()

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate."""
        return replace(super().schedule(candidate, bench), learning_rate=candidate["rate"])
