"""Decision: what to do with one request, and what that is expected to be worth."""

from __future__ import annotations

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
