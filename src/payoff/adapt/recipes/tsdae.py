"""Denoising of the texts of the domain, after TSDAE, then a logistic regression."""

from __future__ import annotations

from payoff.adapt.engine.domain_tuning import DenoisingBag, Task
from payoff.adapt.recipes.domain_tuned import DomainTuned
from payoff.adapt.recipes.recipe import Candidate


class Tsdae(DomainTuned):
    """Learn to tell the tokens that were deleted from a text, without any label.

    The lightened form of TSDAE (Wang et al. 2021) that `DenoisingBag` describes.
    """

    name = "tsdae"
    cost = 0.5  # most tokens are deleted before the encoder sees them

    def task(self, candidate: Candidate) -> Task:
        """Name the deleted tokens."""
        return DenoisingBag()
