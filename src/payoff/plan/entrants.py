"""Entrants: the plans that a run's evidence allows under some terms, each on both sets of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.case import Case
from payoff.economics.uncertain_money import UncertainMoney
from payoff.plan.cascades.cascade_of import CascadePlan, cascade_of
from payoff.plan.cascades.cascade_section import no_cascade, told_of
from payoff.plan.choice import CASCADE, foremost
from payoff.plan.judging import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payoff.economics.hosting import Hosting
    from payoff.plan.kept import Kept, KeptOption
    from payoff.plan.reckoning import Reckoning


@dataclass(frozen=True, eq=False)
class Entrant:
    """One plan that can be chosen.

    Args:
        name: What people read.
        recipe: Of its model; that of a cascade for several.
        validated: What it is chosen by, from validation rows.
        tested: What is reported of it, from test rows.
    """

    name: str
    recipe: str
    validated: Case
    tested: Case


@dataclass(frozen=True, eq=False)
class Entrants:
    """All plans that can be chosen, models first, and why others cannot.

    Args:
        plans: Each model that a host and a policy hold within the limits; then the best cascade.
        refused: Names of other models, and why.
        cascade: The best cascade; None where there is none.
        answered: Which of its models answers each test row.
        no_cascade: Why there is none.
    """

    plans: tuple[Entrant, ...]
    refused: Mapping[str, str]
    cascade: CascadePlan | None = None
    answered: Answered | None = None
    no_cascade: str = ""

    @classmethod
    def of(cls, kept: Kept, reckoning: Reckoning, *, cascades: bool = True) -> Entrants:
        """What a run kept, under these terms.

        Args:
            kept: What was measured.
            reckoning: Under these terms.
            cascades: Whether a cascade is looked for, which takes longer than all else.

        Raises:
            EconomicsError: PF616 or PF640 where no model can be held within the limits.
        """
        judge = kept.judge(reckoning)
        plans: list[Entrant] = []
        hosted: list[KeptOption] = []
        references: dict[str, Hosting] = {}
        refused: dict[str, EconomicsError] = {}
        for option in kept.options:
            try:
                plan, references[option.name] = _alone(option, kept, reckoning, judge)
            except EconomicsError as error:
                if error.code not in ("PF616", "PF640"):
                    raise
                refused[option.name] = error
            else:
                plans.append(plan)
                hosted.append(option)
        if not plans:
            raise next(iter(refused.values()))
        why = {name: str(error) for name, error in refused.items()}
        if not cascades:
            return cls(tuple(plans), why, no_cascade="it was not looked for")
        try:
            cascade = cascade_of(hosted, references, judge, reckoning, blends=kept.blends(judge))
        except EconomicsError as error:
            if error.code != "PF621":
                raise
            return cls(tuple(plans), why, no_cascade=error.found)
        test = {option.name: option.test for option in hosted}
        said = [test[tier.name] for tier in cascade.tiers]
        answered = cascade.answered(said, kept.test_segments)
        together = Entrant(
            cascade.name,
            CASCADE,
            cascade.validated,
            cascade.case(kept.test_truth, answered.probabilities, kept.test_segments),
        )
        return cls((*plans, together), why, cascade, answered)

    @property
    def surer(self) -> list[int]:
        """Places of the models than which the cascade is surer."""
        behind = self.cascade.surer_than if self.cascade is not None else ()
        return [place for place, plan in enumerate(self.plans) if plan.name in behind]

    def section(
        self,
        chosen: int,
        validated: Sequence[UncertainMoney],
        tested: Sequence[UncertainMoney],
        *,
        aversion: float = 0.0,
    ) -> dict[str, Any]:
        """What is told of the cascade.

        Args:
            chosen: Place of the plan that was chosen.
            validated: What each plan earns a month, from validation rows.
            tested: The same from test rows.
            aversion: λ, by which the best single model is told.
        """
        if self.cascade is None or self.answered is None:
            return no_cascade(self.no_cascade)
        models = range(len(self.plans) - 1)
        rival = chosen if chosen in models else foremost(validated[:-1], aversion)
        return told_of(
            self.cascade,
            self.answered,
            profit=tested[-1],
            validated=validated[-1],
            rival=(self.plans[rival].name, validated[rival]),
            chosen=chosen not in models,
        )


def _alone(
    option: KeptOption, kept: Kept, reckoning: Reckoning, judge: Judge
) -> tuple[Entrant, Hosting]:
    """One model as a plan, and its reference hosting."""
    terms = reckoning.terms
    hosting, reference = option.hosting(reckoning)
    costs = reckoning.costs(hosting, option.training_s)
    limits: Any = {"floors": terms.floors, "most_handed": terms.most_handed}
    held = judge.held(option.validation, **limits)
    cases = (
        Case(
            option.name,
            replace(held, truth=truth, segments=segments).outcome(said),
            costs,
            reference,
        )
        for truth, said, segments in (
            (kept.validation_truth, option.validation, kept.validation_segments),
            (kept.test_truth, option.test, kept.test_segments),
        )
    )
    return Entrant(option.name, option.recipe, *cases), reference
