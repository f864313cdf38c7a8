"""Begun decisions: what the models of a desk have said so far, and who is to be asked yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.cascades.cascade_policy import ANSWERED, Answered
from payoff.economics.decision import Decision
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

_N_ALTERNATIVES = 3
_PLACES = 6
_COST_PLACES = 12  # a second of a small machine costs millionths


@dataclass(frozen=True, eq=False)
class Begun:
    """Texts of which some are answered, and the others want a further model.

    Args:
        texts: As the models read them, ``(n,)``.
        segments: Segment of the customer of each, ``(n,)``; None where none is known.
        answered: What was said of each so far.
        wanted: The model that each wants to be asked next, ``(n,)``; `ANSWERED` where it is
            answered.

    Example:
        >>> begun = Begun.of_texts(["where is it?", "refund me"], None, n_labels=2)
        >>> begun.is_open, begun.rows([1]).texts
        (array([ True,  True]), ['refund me'])
    """

    texts: Sequence[str]
    segments: Segments | None
    answered: Answered
    wanted: NDArray[np.int64]

    @classmethod
    def of_texts(
        cls, texts: Sequence[str], segments: Segments | None, *, n_labels: int, first: int = 0
    ) -> Begun:
        """Texts about which nobody was asked yet.

        Args:
            texts: ``n`` of them.
            segments: ``(n,)``; None where none is known.
            n_labels: Of the models.
            first: The model to begin with.
        """
        nothing = Answered.nothing(len(texts), n_labels)
        return cls(texts, segments, nothing, np.full(len(texts), first))

    @classmethod
    def joined(cls, parts: Sequence[Begun]) -> Begun:
        """Several as one, one after the other.

        Args:
            parts: At least one; all with segments, or all without.

        Example:
            >>> one = Begun.of_texts(["refund me"], None, n_labels=2)
            >>> Begun.joined([one, one]).answered.costs.tolist()
            [0.0, 0.0]
        """
        segments = [part.segments for part in parts if part.segments is not None]
        return cls(
            [text for part in parts for text in part.texts],
            np.concatenate(segments) if segments else None,
            Answered.joined([part.answered for part in parts]),
            np.concatenate([part.wanted for part in parts]),
        )

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """Which texts want a further model, ``(n,)``."""
        wants: NDArray[np.bool_] = self.wanted != ANSWERED
        return wants

    def rows(self, places: Sequence[int]) -> Begun:
        """Some of the texts, by their places."""
        chosen = np.asarray(places, np.int64)
        return Begun(
            [self.texts[place] for place in places],
            None if self.segments is None else self.segments[chosen],
            self.answered.take(chosen),
            self.wanted[chosen],
        )

    def decisions(
        self, policy: Policy, currency: str, tiers: Sequence[str] = ()
    ) -> tuple[list[Decision], NDArray[np.float64]]:
        """The best action for each text by what was said, which has to be answered.

        Args:
            policy: What is worth what.
            currency: Of its values.
            tiers: Names of the models; none where one alone answers all.

        Returns:
            A decision a text, and the probabilities that they were made with, ``(n, n_labels)``.

        Raises:
            EconomicsError: PF611 where models gave no probabilities of the policy's labels.

        Example:
            >>> values = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])
            >>> said = Answered(np.array([[0.9, 0.1]]), np.array([0]), np.array([0.5]))
            >>> begun = Begun(["refund me"], None, said, np.array([ANSWERED]))
            >>> begun.decisions(Policy(("refund", "where"), values), "USD")[0][0].action
            'refund'
        """
        said, names = self.answered.probabilities, self.segments
        shifted = policy.shifted(said)
        done = policy.decide(said, names)
        top = np.argsort(-shifted, axis=1, kind="stable")[:, :_N_ALTERNATIVES]
        labels, asked = policy.labels, self._asked(currency, tiers)
        decisions = [
            Decision(
                action=action,
                label=labels[best[0]],
                probability=float(row[best[0]]),
                worth=Money.of(float(value), currency).rounded(_PLACES),
                alternatives=tuple((labels[j], float(row[j])) for j in best),
                tier=tier,
                cost=cost,
                segment=str(name),
            )
            for action, value, row, best, (tier, cost), name in zip(
                done.names(labels),
                done.values,
                shifted,
                top,
                asked,
                [""] * len(said) if names is None else names,
                strict=True,
            )
        ]
        return decisions, shifted

    def _asked(self, currency: str, tiers: Sequence[str]) -> list[tuple[str, Money | None]]:
        """The model that answered each text, and what asking cost."""
        if not tiers:
            return [("", None)] * len(self.texts)
        return [
            (tiers[tier], Money.of(float(cost), currency).rounded(_COST_PLACES))
            for tier, cost in zip(self.answered.tiers, self.answered.costs, strict=True)
        ]
