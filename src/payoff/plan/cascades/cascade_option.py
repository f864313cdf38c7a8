"""Cascade option: a cascade of a search's options, to be chosen beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payoff.economics.forecast import Forecast
from payoff.economics.hosting import Hosting
from payoff.economics.policy import Policy
from payoff.evidence.evidence import Evidence
from payoff.plan.cascades.cascade_of import CascadePlan, cascade_of
from payoff.plan.choice import CASCADE
from payoff.plan.options import Option, Workshop


@dataclass(frozen=True, eq=False)
class CascadeOption:
    """A cascade with the options that it is made of; what both have has the same names.

    Args:
        plan: The cascade.
        tiers: Its options, in the order in which they are asked.
        forecast: From validation rows: what the choice is made by.
    """

    plan: CascadePlan
    tiers: tuple[Option, ...]
    forecast: Forecast

    @property
    def name(self) -> str:
        """What people read."""
        return self.plan.name

    @property
    def recipe(self) -> str:
        """What stands for a recipe."""
        return CASCADE

    @property
    def backbone(self) -> str:
        """None that is its own."""
        return ""

    @property
    def precision(self) -> str:
        """None that is its own."""
        return ""

    @property
    def training_s(self) -> float:
        """Seconds that training all its models took."""
        return sum(tier.training_s for tier in self.tiers)

    @property
    def evidence(self) -> Evidence:
        """On validation rows."""
        return self.plan.evidence

    @property
    def hosting(self) -> Hosting:
        """Where all its models run."""
        return self.plan.hosting

    @property
    def reference(self) -> Hosting:
        """What that is compared with."""
        return self.plan.reference

    @property
    def policy(self) -> Policy:
        """What is done at which probabilities."""
        return self.plan.policy


def cascade_among(workshop: Workshop, options: Sequence[Option]) -> CascadeOption:
    """The best cascade of a search's options, forecast on validation rows.

    Its tiers are the options as they were trained for the choice, on training rows alone.

    Args:
        workshop: Made the options.
        options: All that were measured.

    Raises:
        EconomicsError: PF621 where there is none, with the reason.
    """
    models = [option.measured for option in options]
    references = {option.name: option.reference for option in options}
    reckoning = workshop.reckoning
    plan = cascade_of(models, references, workshop.judge, reckoning)
    for name, why in plan.left_out.items():
        workshop.bench.progress.say(f"{name} is no tier of a cascade: {why}")
    known = {option.name: option for option in options}
    tiers = tuple(known[tier.name] for tier in plan.tiers)
    return CascadeOption(plan, tiers, reckoning.forecast_of(plan.validated, workshop.worlds))
