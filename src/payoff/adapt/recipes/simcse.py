"""Unsupervised SimCSE on the texts of the domain, then a logistic regression."""

from __future__ import annotations

from payoff.adapt.engine.domain_tuning import SimCse as Views
from payoff.adapt.engine.domain_tuning import Task
from payoff.adapt.recipes.domain_tuned import DomainTuned
from payoff.adapt.recipes.recipe import Candidate


class SimCse(DomainTuned):
    """Learn to know each text again among others (Gao et al. 2021), without any label."""

    name = "simcse"
    cost = 2.0

    def task(self, candidate: Candidate) -> Task:
        """Two views of a text."""
        return Views()
