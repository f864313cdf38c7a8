"""Decision: what to do with one request, and what that is expected to be worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.core.money import Money
from payoff.economics.actions import HANDOFF


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one request.

    Args:
        action: A label to act as, or ``"handoff"``: give it to a person.
        label: The most probable label; it may differ from the action where an error would be
            expensive.
        probability: Calibrated probability of ``label``, under the label mix the policy expects.
        worth: Expected worth of the action.
        alternatives: The three most probable labels with their probabilities, ``label`` first.
        tier: Name of the model that answered; empty where one model answers all requests.
        cost: What asking models about the request cost; None where one answers all.
        segment: Segment of the customers whose own values counted; empty where those of requests
            in general did.
    """

    action: str
    label: str
    probability: float
    worth: Money
    alternatives: tuple[tuple[str, float], ...] = ()
    tier: str = ""
    cost: Money | None = None
    segment: str = ""

    @property
    def automated(self) -> bool:
        """Whether the desk acts by itself."""
        return self.action != HANDOFF

    def as_dict(self) -> dict[str, Any]:
        """Plain values, money as a number; tier, cost and segment where there are any."""
        asked: dict[str, Any] = {}
        if self.cost is not None:
            cost = {"amount": float(self.cost), "currency": self.cost.currency}
            asked = {"tier": self.tier, "cost": cost}
        if self.segment:
            asked["segment"] = self.segment
        return asked | {
            "action": self.action,
            "label": self.label,
            "probability": self.probability,
            "worth": {"amount": float(self.worth), "currency": self.worth.currency},
            "alternatives": [
                {"label": label, "probability": probability}
                for label, probability in self.alternatives
            ],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Decision:
        """What `as_dict` told.

        Raises:
            KeyError: Where something is missing.

        Example:
            >>> told = Decision("refund", "refund", 0.5, Money.of(2, "USD")).as_dict()
            >>> Decision.from_dict(told).action
            'refund'
        """
        cost = told.get("cost")
        return cls(
            action=told["action"],
            label=told["label"],
            probability=told["probability"],
            worth=Money.of(told["worth"]["amount"], told["worth"]["currency"]),
            alternatives=tuple((a["label"], a["probability"]) for a in told["alternatives"]),
            tier=told.get("tier") or "",
            cost=None if cost is None else Money.of(cost["amount"], cost["currency"]),
            segment=told.get("segment") or "",
        )
