"""Averaging of weights: several trainings from one start, or several moments of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.engine.trunk import Trunk
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.workbench import Workbench

_SEED_STEP = 1_000_003  # so that the members of one seed are not those of the next


class Averaged(Tuned):
    """Train several times from the same head, in other orders, and average the weights.

    One model is served, at the cost of one (Wortsman et al. 2022, "Model soups", section 2; all
    members are averaged, none is left out). With ``checkpoints`` above 1, each member gives the
    weights of that many moments, evenly over the second half of its training.
    """

    name = "averaged"
    defaults = (("members", 2), ("checkpoints", 1))

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
        bench = replace(self.bench, seed=self.bench.seed + _SEED_STEP * number)
        return TuneAttempt(self.recipe, self.candidate, bench).training


class AveragedTraining:
    """Trainings one after the other, and the mean of their weights; used as `FineTuning` is.

    Args:
        member: Makes the training of a number, always from the same start.
        n_members: How many.
        n_checkpoints: Moments of each whose weights are averaged: the last, and others evenly
            over its second half.
    """

    def __init__(
        self, member: Callable[[int], FineTuning], n_members: int, *, n_checkpoints: int
    ) -> None:
        self._make = member
        self.n_members = n_members
        self.moments = [0.5 + 0.5 * (i + 1) / n_checkpoints for i in range(n_checkpoints)]
        self.n_averaged = 0
        self._sum: dict[str, Tensor] = {}
        self._begin(0)

    def _begin(self, number: int) -> None:
        self.number = number
        self.member = self._make(number)

    @property
    def trunk(self) -> Trunk:
        """The texts."""
        return self.member.trunk

    @property
    def classifier(self) -> Classifier:
        """A classifier with the mean weights; those of the first member until there are any."""
        if not self.n_averaged:
            return self.member.classifier
        averaged = self._make(self.number).classifier
        averaged.load_state_dict(self._mean())
        return averaged.eval()

    def _mean(self) -> dict[str, Tensor]:
        if not self.n_averaged:
            return self.member.classifier.state_dict()
        return {name: total / self.n_averaged for name, total in self._sum.items()}

    def advance(self, share: float) -> None:
        """Train until ``share`` of the work of all members is done.

        Raises:
            AdaptError: PF402 where the loss is no longer finite.
        """
        while self.n_averaged < self.n_members * len(self.moments):
            number, index = divmod(self.n_averaged, len(self.moments))
            if number != self.number:
                self._begin(number)
            moment = self.moments[index]
            due = share * self.n_members - number  # of this member's work
            if moment > due + 1e-9:
                self.member.advance(due)
                return
            self.member.advance(moment)
            self._add(self.member.classifier.state_dict())

    def _add(self, weights: dict[str, Tensor]) -> None:
        for name, value in weights.items():
            self._sum[name] = self._sum[name] + value if self.n_averaged else value.clone()
        self.n_averaged += 1

    def state(self) -> dict[str, Any]:
        """All that `resume` needs; ``classifier`` are the mean weights."""
        return {
            "classifier": self._mean(),
            "number": self.number,
            "member": self.member.state(),
            "n_averaged": self.n_averaged,
            "sum": self._sum,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state` was taken."""
        if state["number"] != self.number:
            self._begin(state["number"])
        self.member.resume(state["member"])
        self.n_averaged = state["n_averaged"]
        self._sum = state["sum"]
