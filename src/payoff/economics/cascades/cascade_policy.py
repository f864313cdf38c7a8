"""Cascade policy: which tier answers a request, and when to ask the next one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import ALONE, Blend, blends_from
from payoff.economics.cascades.cascade_gain import Gain, Knowledge
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

Array = NDArray[np.float64]
Ask = Callable[[int, NDArray[np.int64]], Array | None]

ANSWERED = -1
"""In place of the tier that a request wants to be asked next: none."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Which tier answered each request, and with what.

    Args:
        probabilities: Those of the answering tier, calibrated and joined with what was said before
            it, ``(n, k)``.
        tiers: The answering tier, ``(n,)``.
        costs: What all tiers that were asked cost, money, ``(n,)``.
    """

    probabilities: Array
    tiers: NDArray[np.int64]
    costs: Array

    @classmethod
    def nothing(cls, n: int, n_labels: int) -> Answered:
        """Of ``n`` requests about which no tier was asked; the probabilities are not set.

        Example:
            >>> Answered.nothing(2, 3).costs.tolist()
            [0.0, 0.0]
        """
        return cls(np.empty((n, n_labels)), np.zeros(n, np.int64), np.zeros(n))

    @classmethod
    def joined(cls, parts: Sequence[Answered]) -> Answered:
        """Several as one, one after the other.

        Example:
            >>> one = Answered(np.array([[1.0]]), np.array([0]), np.array([0.5]))
            >>> Answered.joined([one, one]).costs.tolist()
            [0.5, 0.5]
        """
        return cls(
            np.concatenate([one.probabilities for one in parts]),
            np.concatenate([one.tiers for one in parts]),
            np.concatenate([one.costs for one in parts]),
        )

    def take(self, rows: NDArray[np.int64]) -> Answered:
        """The same of some requests."""
        return Answered(self.probabilities[rows], self.tiers[rows], self.costs[rows])


@dataclass(frozen=True, eq=False)
class CascadePolicy:
    """Asks the tiers in turn, the cheapest first, as long as the next one is worth its cost.

    Tier ``t`` answers where ``max_a value_t(a | x) ≥ E[V_{t+1} | p_t(x)]``; the difference of the
    two is what `Gain` expects (FrugalGPT, Chen, Zaharia and Zou 2023; solved backwards as optimal
    stopping). What a tier says is joined with what was said before it (`Blend`). numpy alone
    applies it.

    Args:
        tiers: Names of the tiers.
        costs: What asking each costs, money per request, ``(n_tiers,)``.
        gains: For each tier but the last, what asking the next is expected to bring.
        blends: For each tier but the first, how it is joined with what was said before; each
            answers alone where none are given.

    Raises:
        EconomicsError: PF613 where they do not fit each other; PF604 for a cost that is
            negative or not finite.

    Example:
        >>> gain = Gain(np.array([1.0, 0, 0, 0, 0]), np.zeros(2), -2.0, np.array([-9.0, 9.0]),
        ...             np.array([-9.0, 9.0]), "linear")
        >>> cascade = CascadePolicy(("words", "encoder"), (0.0, 0.1), (gain,))
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> said = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.8, 0.2], [0.0, 1.0]]])
        >>> done = cascade.answer(policy, 2, lambda tier, rows: said[tier][rows])
        >>> done.tiers, done.costs, done.probabilities[:, 1]
        (array([0, 1]), array([0. , 0.1]), array([0.1, 1. ]))
    """

    tiers: tuple[str, ...]
    costs: tuple[float, ...]
    gains: tuple[Gain, ...]
    blends: tuple[Blend, ...] = ()

    def __post_init__(self) -> None:
        if not self.blends:
            object.__setattr__(self, "blends", (ALONE,) * len(self.gains))
        counts = [len(self.costs), len(self.gains) + 1, len(self.blends) + 1]
        if counts != [len(self.tiers)] * 3:
            raise EconomicsError(
                "PF613",
                "policy [cascade]",
                f"{len(self.tiers)} tiers, {len(self.costs)} costs, {len(self.gains)} gains, "
                f"{len(self.blends)} blends",
                expected="a cost for each tier, a gain for each but the last, and a blend for "
                "each but the first",
            )
        for name, cost in zip(self.tiers, self.costs, strict=True):
            if not (math.isfinite(cost) and cost >= 0):
                raise EconomicsError(
                    "PF604", f"cost of the tier '{name}'", f"it is {cost}", expected="0 or more"
                )

    def answer(
        self, policy: Policy, n: int, ask: Ask, segments: Segments | None = None
    ) -> Answered:
        """Ask tiers until each request is answered.

        Args:
            policy: What is worth what.
            n: How many requests there are.
            ask: Calibrated probabilities, ``(n_rows, k)``, of some tier for some of the requests;
                None where that tier cannot be asked, and the one before it answers. The first
                one always can.
            segments: Segment of each, ``(n,)``; None where none is known.

        Raises:
            EconomicsError: PF611 where a tier's answer is no probabilities of the policy's labels.
        """
        nothing, first = Answered.nothing(n, len(policy.labels)), np.zeros(n, np.int64)
        return self.go_on(policy, nothing, first, ask=ask, segments=segments)[0]

    def go_on(
        self,
        policy: Policy,
        so_far: Answered,
        wanted: NDArray[np.int64],
        *,
        ask: Ask,
        segments: Segments | None = None,
        before: int | None = None,
    ) -> tuple[Answered, NDArray[np.int64]]:
        """`answer`, taken up where it was left, and left again before some tier is asked.

        Args:
            policy: What is worth what.
            so_far: What was answered until now.
            wanted: The tier that each request wants to be asked next, ``(n,)``, or `ANSWERED`.
            ask: As `answer` has it.
            segments: Segment of each, ``(n,)``; None where none is known.
            before: The first tier that is not to be asked; None asks all.

        Returns:
            What is answered now, and the tier that each request wants to be asked next.

        Raises:
            EconomicsError: PF611 where a tier's answer is no probabilities of the policy's labels.

        Example:
            >>> gain = Gain(np.eye(5)[0], np.zeros(2), -2.0, np.array([-9.0, 9.0]),
            ...             np.array([-9.0, 9.0]), "linear")
            >>> cascade = CascadePolicy(("words", "encoder"), (0.0, 0.1), (gain,))
            >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
            >>> said = np.array([[0.9, 0.1], [0.5, 0.5]])
            >>> cascade.go_on(policy, Answered.nothing(2, 2), np.zeros(2, np.int64),
            ...               ask=lambda tier, rows: said[rows], before=1)[1]
            array([-1,  1])
        """
        probabilities, costs = so_far.probabilities.copy(), so_far.costs.copy()
        tiers, wanted = so_far.tiers.copy(), wanted.copy()
        for tier, cost in enumerate(self.costs[:before]):
            rows = np.flatnonzero(wanted == tier)
            if not len(rows):
                continue
            said = ask(tier, rows)
            unsure = np.ones(len(rows), np.bool_)
            if said is not None:
                if tier > 0:
                    said = self.blends[tier - 1].of(probabilities[rows], policy.checked(said))
                probabilities[rows], tiers[rows] = said, tier
                costs[rows] += cost
                if tier < len(self.gains):
                    own = None if segments is None else segments[rows]
                    unsure = self.gains[tier].of(Knowledge.of(policy, said, own)) > 0
            wanted[rows] = np.where(unsure, tier + 1, ANSWERED)
        wanted[wanted == len(self.tiers)] = ANSWERED
        return Answered(probabilities, tiers, costs), wanted

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives back the very same numbers."""
        return {
            "tiers": list(self.tiers),
            "costs": list(self.costs),
            "gains": [gain.to_dict() for gain in self.gains],
            "blends": [blend.to_list() for blend in self.blends],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> CascadePolicy:
        """The inverse of `to_dict`.

        Raises:
            EconomicsError: PF613 where it is no cascade, PF604 for a cost below 0.

        Example:
            >>> one = CascadePolicy(("words",), (0.5,), ())
            >>> CascadePolicy.from_dict(one.to_dict()) == one
            False
            >>> CascadePolicy.from_dict(one.to_dict()).to_dict() == one.to_dict()
            True
        """
        try:
            tiers = tuple(str(name) for name in document["tiers"])
            costs = tuple(float(cost) for cost in document["costs"])
            gains = tuple(Gain.from_dict(gain) for gain in document["gains"])
            blends = blends_from(document, len(tiers))
        except (KeyError, TypeError, ValueError) as error:
            raise EconomicsError(
                "PF613",
                "policy [cascade]",
                f"it cannot be read ({error!r})",
                expected="tiers, costs, gains and blends",
            ) from error
        return cls(tiers, costs, gains, blends)
