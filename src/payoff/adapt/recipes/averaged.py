"""Fine-tuning several times, and the mean of what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from payoff.adapt.engine.averaged_training import AveragedTraining, member_seed
from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.recipes.fine_tune import FineTune
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt
from payoff.adapt.workbench import Workbench


class Averaged(FineTune):
    """Fine-tune several times from the same head, in other orders, and average the weights.

    One model is served, at the cost of one (Wortsman et al. 2022, "Model soups", section 2; all
    members are averaged, none is left out). With ``checkpoints`` above 1, each member gives the
    weights of that many moments, evenly over the second half of its training.
    """

    name = "averaged"
    defaults = (*FineTune.defaults, ("members", 3), ("checkpoints", 1))

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a little better than one training at several times its cost."""
        return []

    def passes(self, candidate: Candidate) -> float:
        """One a member."""
        return float(candidate["members"])

    def start(self, candidate: Candidate, bench: Workbench) -> AveragedAttempt:
        """Prepare the activations below the lowest trained layer.

        Raises:
            AdaptError: PF405 where the backbone is no encoder.
        """
        need_family(self.name, bench, candidate.backbone)
        return AveragedAttempt(self, candidate, bench)


@dataclass
class AveragedAttempt(TuneAttempt):
    """The trainings of one candidate, one after the other."""

    @cached_property
    def training(self) -> AveragedTraining:  # type: ignore[override]  # used alike
        """All members as one training."""
        return AveragedTraining(
            self._member, self.candidate["members"], n_checkpoints=self.candidate["checkpoints"]
        )

    def _member(self, number: int) -> FineTuning:
        bench = replace(self.bench, seed=member_seed(self.bench.seed, number))
        return TuneAttempt(self.recipe, self.candidate, bench).training
