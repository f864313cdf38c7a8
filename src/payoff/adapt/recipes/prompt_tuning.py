"""Prompt tuning: vectors before the tokens that enter the upper layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payoff.adapt.engine.adaptations.prompt import Prompt
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class PromptTuning(Tuned):
    """Train a few vectors alone; each text is longer by them in the upper layers."""

    name = "prompt-tuning"
    defaults: tuple[tuple[str, Any], ...] = (("vectors", 20), ("rate", 5e-3))
    ranges: tuple[tuple[str, Range], ...] = (("vectors", Range(5, 60, log=True)),)

    def adaptation(self, candidate: Candidate) -> Prompt:
        """As many vectors as the candidate says."""
        return Prompt(candidate["vectors"])

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """The candidate's rate; no decay, since a vector of 0 is not one without effect."""
        usual = super().schedule(candidate, bench)
        return replace(usual, learning_rate=candidate["rate"], weight_decay=0.0)

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """As long as if the texts had those tokens."""
        tokens = bench.opened(candidate.backbone).tokens
        longer: float = 1 + candidate["vectors"] * len(tokens) / len(tokens.ids)
        return super().seconds(candidate, bench) * longer
