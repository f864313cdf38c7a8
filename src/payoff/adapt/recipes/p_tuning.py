"""P-tuning: prompt tuning whose vectors an LSTM and a small network make while they are trained."""

from __future__ import annotations

from typing import Any

from payoff.adapt.engine.adaptations.prompt import MadePrompt
from payoff.adapt.recipes.prompt_tuning import PromptTuning
from payoff.adapt.recipes.recipe import Candidate


class PTuning(PromptTuning):
    """Train the vectors and a network that adds to them; what it makes is served without it."""

    name = "p-tuning"
    defaults: tuple[tuple[str, Any], ...] = (("vectors", 20), ("inner", 128), ("rate", 5e-3))

    def adaptation(self, candidate: Candidate) -> MadePrompt:
        """As many vectors, from a network as wide inside, as the candidate says."""
        return MadePrompt(candidate["vectors"], candidate["inner"])
