"""Averaging of weights: several trainings from one start, or several moments of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.engine.trunk import Trunk

_SEED_STEP = 1_000_003  # so that the members of one seed are not those of the next


def member_seed(seed: int, number: int) -> int:
    """Seed of a member, by that of the whole; the first has the same.

    Example:
        >>> member_seed(7, 0), member_seed(7, 1) != member_seed(8, 0)
        (7, True)
    """
    return seed + _SEED_STEP * number


class AveragedTraining:
    """Trainings one after the other, and the mean of their weights; used as `FineTuning` is.

    Args:
        member: Makes the training of a number, always from the same start.
        n_members: How many.
        n_checkpoints: Moments of each whose weights are averaged: the last, and others evenly
            over its second half.
    """

    def __init__(
        self, member: Callable[[int], FineTuning], n_members: int, *, n_checkpoints: int = 1
    ) -> None:
        self._make = member
        self.n_members = n_members
        self.moments = [0.5 + 0.5 * (i + 1) / n_checkpoints for i in range(n_checkpoints)]
        self.n_averaged = 0
        self._sum: dict[str, Tensor] = {}
        self._averaged: tuple[int, Classifier] | None = None
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
        if self._averaged is None or self._averaged[0] != self.n_averaged:
            averaged = self._make(self.number).classifier
            averaged.load_state_dict(self._mean())
            self._averaged = self.n_averaged, averaged.eval()
        return self._averaged[1]

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
        self._averaged = None
