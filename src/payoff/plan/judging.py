"""Judging: from scores on held-out rows to what the decisions would have been worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.capacity import within_capacity
from payoff.economics.floor import Floor
from payoff.economics.held_floors import hold_floors
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments
from payoff.evidence.calibration import cross_fitted, fit_temperature
from payoff.evidence.calibration_choice import CalibrationChoice, choose_calibration
from payoff.evidence.quality import log_losses
from payoff.plan.score import Score


@dataclass(frozen=True)
class Judge:
    """Values decisions on one set of held-out rows.

    Args:
        payoff: Worth of each right, wrong and handed-over request.
        policy: What is done at which probabilities.
        truth: Classes of the rows, ``(n,)``.
        seed: Of the folds of cross-fitting.
        segments: Segments of the rows, ``(n,)``; None where none is known.
    """

    payoff: Payoff
    policy: Policy
    truth: NDArray[np.int64]
    seed: int = 0
    segments: Segments | None = None

    def score(self, logits: NDArray[np.float32]) -> Score:
        """What the rows say of some scores of them, ``(n, n_labels)``.

        No row is judged by a calibration that has seen it. Where the requests to come have
        another mix, rows are weighted by it: means are those of a request to come.
        """
        return self.scored(self.cross_fitted(logits))

    def scored(self, probabilities: NDArray[np.floating[Any]]) -> Score:
        """The same of probabilities that are cross-fitted already, ``(n, n_labels)``."""
        return Score(self._weighed(self.worths(probabilities)), self.losses(probabilities))

    def losses(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Log loss of each row in nats, weighted as `score` does, ``(n,)``."""
        return self._weighed(log_losses(self.policy.shifted(probabilities), self.truth))

    def _weighed(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Amounts of the rows, so that their mean is that of a request to come."""
        shift = self.policy.prior_shift
        if shift is None:
            return amounts
        weights: NDArray[np.float64] = shift[self.truth] / shift[self.truth].mean()
        return amounts * weights

    def worths(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Worth of the decision on each row, ``(n,)``."""
        return self._realised(self.decided(probabilities))

    def argmax_value(self, probabilities: NDArray[np.float64]) -> float:
        """Mean worth of a request if the most probable label were always acted on."""
        actions = self.policy.argmax(probabilities, self.segments).actions
        return float(self._realised(actions).mean())

    def outcome(self, probabilities: NDArray[np.floating[Any]]) -> Outcome:
        """What a forecast needs to know of the decisions."""
        actions = self.decided(probabilities)
        labels = self.policy.labels
        return Outcome.of_actions(self.payoff, labels, self.truth, actions, self.segments)

    def decided(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """What is done with each row, ``(n,)``."""
        return self.policy.decide(probabilities, self.segments).actions

    def _realised(self, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.policy.realised(self.truth, actions, self.segments)

    def cross_fitted(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of each row, by a temperature fitted on the others: quick, for ranking."""
        fit = partial(fit_temperature, shift=self.policy.prior_shift)
        return cross_fitted(logits, self.truth, seed=self.seed, fit=fit)

    def calibrated(self, logits: NDArray[np.float32]) -> CalibrationChoice:
        """The calibration of the lowest log loss, and these rows by it, cross-fitted.

        It is fitted on all of these rows, for rows that are none of them, and so that it holds
        for the mix of the requests to come.
        """
        shift = self.policy.prior_shift
        return choose_calibration(logits, self.truth, seed=self.seed, shift=shift)

    def held(
        self,
        probabilities: NDArray[np.floating[Any]],
        floors: Sequence[Floor] = (),
        *,
        most_handed: float | None = None,
    ) -> Judge:
        """The same judge by a policy that keeps to what people can take and to promised floors.

        People's time is priced first, and what nobody can take stays unanswered where the payoff
        says that acting on it would cost more. A floor then hands over what it needs, even where
        that is more than they can take, since what is promised comes before what is cheap.

        Args:
            probabilities: Of these rows, cross-fitted, ``(n, n_labels)``.
            floors: What must hold.
            most_handed: Share of the requests that people can take; None for no limit.

        Raises:
            ProjectError: PF203 where a floor is for an unknown label.
            EconomicsError: PF640 where the rows do not prove a floor; PF641 for no share.
        """
        policy = self.policy
        if most_handed is not None:
            nothing = self.payoff.nothing
            policy = within_capacity(
                policy,
                probabilities,
                most_handed,
                self.segments,
                unanswered=nothing if nothing < 0 else None,  # 0 where nobody stated it
            ).policy
        if floors:
            held = hold_floors(
                policy, floors, probabilities, self.truth, segments=self.segments, seed=self.seed
            )
            policy = held.policy
        return replace(self, policy=policy)

    def perfect_value(self) -> float:
        """Mean worth of a request if every answer were right."""
        return float(self._realised(self.truth).mean())
