"""Judged: what the old and the new version earn on requests that neither learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding, Status
from payoff.core.money import format_money
from payoff.core.pair import SIGN
from payoff.economics.decision import Decision
from payoff.economics.desk import Desk
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.economics.value_tables import segment_names
from payoff.learn.kinds import Kind
from payoff.plan.retraining.gathered import LabelledRow
from payoff.plan.retraining.population import row_weights

_DRAWS = 2000
_BLOCK = 100
_PROBABLE = 0.8
"""Probability of a gain from which a new version is worth an experiment."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A paired comparison in money.

    Args:
        old_each: Mean worth of a request with the old version.
        new_each: With the new one.
        gains: Draws of the mean gain of a request.
        n: Judges.
        n_customers: Different customers among them; requests of nobody count one each.
        old_accuracy: Share whose most probable label is right, with the old version.
        new_accuracy: With the new one.
        old_handed: Share that the old version hands over.
        new_handed: That the new one does.
        old_labels: The old version's most probable label of each, ``(n,)``.
        new_labels: The new one's.
        finding: PF778: whether judges tell of all requests.
        forecasts: Draws of the mean worth of a request with the new version: what it is forecast to
            bring once it decides on all of them.
    """

    old_each: float
    new_each: float
    gains: NDArray[np.float64]
    n: int
    n_customers: int
    old_accuracy: float
    new_accuracy: float
    old_handed: float
    new_handed: float
    old_labels: tuple[str, ...]
    new_labels: tuple[str, ...]
    finding: Finding
    forecasts: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        old: Desk,
        new: Desk,
        judges: Sequence[LabelledRow],
        *,
        payoff: Payoff,
        asked: Mapping[Kind, int],
        seed: int = 0,
    ) -> Judged:
        """Let both decide the judges, each by its own policy, and count by the project's payoff.

        Args:
            old: The version in use.
            new: The new one.
            judges: Labelled requests that neither learnt from.
            payoff: What decisions are worth.
            asked: How many requests of each kind came: judges are weighed by it.
            seed: Of the draws.
        """
        truth = [row.label for row in judges]
        labels = tuple(sorted({*old.labels, *new.labels, *truth}))
        policy = Policy.from_payoff(payoff, labels)
        done = [decide_rows(desk, judges) for desk in (old, new)]
        place = {label: number for number, label in enumerate((*labels, "handoff"))}
        classes = np.array([place[label] for label in truth])
        segments = segment_names([row.segment for row in judges])
        worths = []
        for decisions in done:
            actions = np.array([place[one.action] for one in decisions])
            asking = np.array([0.0 if one.cost is None else float(one.cost) for one in decisions])
            worths.append(policy.realised(classes, actions, segments) - asking)
        weights, finding = row_weights([row.kind for row in judges], asked)
        customers = [row.customer or row.request_id for row in judges]
        told = [tuple(one.label for one in decisions) for decisions in done]
        mean = [
            float(np.average(one, weights=weights))
            for one in (*worths, *(_right(one, truth) for one in told), *map(_handed, done))
        ]
        return cls(
            old_each=mean[0],
            new_each=mean[1],
            gains=bootstrap(
                worths[1] - worths[0],
                weights,
                customers,
                seed=seed,
                unseen=float(worths[0].std()),
            ),
            n=len(judges),
            n_customers=len(set(customers)),
            old_accuracy=mean[2],
            new_accuracy=mean[3],
            old_handed=mean[4],
            new_handed=mean[5],
            old_labels=told[0],
            new_labels=told[1],
            finding=finding,
            forecasts=bootstrap(worths[1], weights, customers, seed=seed),
        )

    @property
    def gain_each(self) -> float:
        """Mean gain of a request."""
        return self.new_each - self.old_each

    @property
    def forecast_each(self) -> tuple[float, float, float]:
        """What a request is forecast to be worth with the new version, and its 5 and 95 %."""
        low, high = np.quantile(self.forecasts, (0.05, 0.95))
        return self.new_each, float(low), float(high)

    @property
    def probability(self) -> float:
        """That the new version earns more."""
        return float((self.gains > 0).mean())

    def gain_month(self, requests: float) -> tuple[float, float, float]:
        """Mean gain of a month of so many requests, and its 5 and 95 %."""
        low, high = np.quantile(self.gains, (0.05, 0.95))
        return self.gain_each * requests, float(low) * requests, float(high) * requests

    def verdict(self, requests: float, *, months: float, cost: float, currency: str) -> Finding:
        """PF773: whether the gain until the next retraining is above its cost, and no chance.

        Args:
            requests: A month.
            months: Until the next retraining.
            cost: Of this one.
            currency: Of all money.
        """
        title = "The new version earns more than the old one"
        mean = self.gain_month(requests)[0] * months
        told = (
            f"{format_money(mean, currency)} in {months:g} months against a cost of "
            f"{format_money(cost, currency)}; "
            f"a gain has the probability {self.probability:.0%}, on {self.n} requests"
        )
        if mean > cost and self.probability >= _PROBABLE:
            return Finding("PF773", title, Status.PASSED, told)
        mend = "Keep the old version, and label more before the next attempt."
        return Finding("PF773", title, Status.FAILED, told, mend)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        low, high = np.quantile(self.gains, (0.05, 0.95))
        forecast = dict(zip(("mean", "low", "high"), self.forecast_each, strict=True))
        return {
            "n": self.n,
            "n_customers": self.n_customers,
            "old_each": self.old_each,
            "new_each": self.new_each,
            "forecast_each": forecast,
            "gain_each": {"mean": self.gain_each, "low": float(low), "high": float(high)},
            "probability": self.probability,
            "old_accuracy": self.old_accuracy,
            "new_accuracy": self.new_accuracy,
            "old_handed": self.old_handed,
            "new_handed": self.new_handed,
        }


def _right(told: Sequence[str], truth: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([a == b for a, b in zip(told, truth, strict=True)])


def _handed(decisions: Sequence[Decision]) -> NDArray[np.bool_]:
    return np.array([one.action == "handoff" for one in decisions])


def decide_rows(desk: Desk, rows: Sequence[LabelledRow]) -> list[Decision]:
    """What a version decides on each row."""
    segments = [row.segment or None for row in rows]
    if not desk.reads_pairs:
        return desk.decide_many([row.text for row in rows], segments=segments)
    parts = [row.text.partition(SIGN) for row in rows]
    second = [part[2] for part in parts]
    return desk.decide_many([part[0] for part in parts], pairs=second, segments=segments)


def bootstrap(
    differences: NDArray[np.float64],
    weights: NDArray[np.float64],
    clusters: Sequence[str],
    *,
    seed: int,
    unseen: float = 0.0,
) -> NDArray[np.float64]:
    """Draws of a weighted mean, requests of one customer always together: ``(2000,)``.

    Few judges show few of the requests that two versions decide otherwise, and resampling shows no
    other. Therefore half a request is added that speaks for the new version, and half a one
    against it, each of the heaviest weight: chance has its part, and the mean is not moved.

    Source: Rubin 1981, "The Bayesian bootstrap", Annals of Statistics 9(1); half a case of each
    kind is Jeffreys' prior for a share.

    Args:
        differences: Of each row, ``(n,)``.
        weights: Of each row, ``(n,)``.
        clusters: Whose each row is.
        seed: Of the draws.
        unseen: Difference where no row shows one; else the mean of those that differ is taken.
    """
    _, place = np.unique(np.array(clusters), return_inverse=True)
    k = int(place.max()) + 1
    sums = np.bincount(place, weights=weights * differences, minlength=k)
    sizes = np.bincount(place, weights=weights, minlength=k)
    differing = np.abs(differences[differences != 0])
    added = float(weights.max()) * (float(differing.mean()) if len(differing) else unseen)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_DRAWS // _BLOCK):
        shares = rng.exponential(size=(_BLOCK, k))
        halves = rng.gamma(0.5, size=(_BLOCK, 2))
        chance = added * (halves[:, 0] - halves[:, 1])
        drawn.append((shares @ sums + chance) / (shares @ sizes))
    return np.concatenate(drawn)
