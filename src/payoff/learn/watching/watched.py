"""Watched: what one look at a journal found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payoff.core.findings import Finding
from payoff.core.money import format_money
from payoff.learn.watching.alarm import Alarm
from payoff.learn.watching.alert_book import AlertState
from payoff.learn.watching.drift import Drift
from payoff.learn.watching.expected_loss import ExpectedLoss
from payoff.learn.watching.notify.deliver import Delivery
from payoff.learn.watching.topics import NewTopic


@dataclass(frozen=True, eq=False, kw_only=True)
class Watched:
    """What one look found.

    Args:
        model: Name of the model.
        currency: Of all amounts.
        time_utc: When it was looked.
        n_decisions: Decisions of the model in the journal.
        n_needed: How many it takes before anything can be told.
        n_whole: Those that were kept with the probability of every label, of which it takes so
            many; None where that was not counted, since enough have come.
        loss: Of the requests of now; None before there is a reference.
        against: What the loss is held against: ``"forecast"``, ``"test rows"`` or ``"quiet
            period"``.
        reference: What requests are compared with, in words; empty where nothing is yet.
        drift: Why; None where there is no loss to explain.
        alarms: What speaks for a loss, from expected worth and from labels.
        raised: Keys of alerts that this look raised.
        over: Keys of alerts that it ended.
        alerts: All alerts there have been, by their keys.
        topics: Found among the requests that the model is unsure of.
        findings: What was checked.
        deliveries: What channels were told.

    Example:
        >>> Watched(model="support", currency="EUR", time_utc="2026-11-03T08:00:00.000000Z",
        ...         n_decisions=12, n_needed=1000).advice
        'Wait: 12 of the first 1,000 requests have come, and nothing can be told before.'
    """

    model: str
    currency: str
    time_utc: str
    n_decisions: int
    n_needed: int
    n_whole: int | None = None
    loss: ExpectedLoss | None = None
    against: str = ""
    reference: str = ""
    drift: Drift | None = None
    alarms: tuple[Alarm, ...] = ()
    raised: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    topics: tuple[NewTopic, ...] = ()
    findings: tuple[Finding, ...] = ()
    deliveries: tuple[Delivery, ...] = ()

    @property
    def advice(self) -> str:
        """One sentence that says what to do."""
        if self.loss is None:
            n = self.n_decisions if self.n_whole is None else self.n_whole
            told = f"Wait: {n:,} of the first {self.n_needed:,} requests have come, "
            lacking = self.n_decisions - n
            if lacking > 0:
                told += f"{lacking:,} more without the probability of every label, "
            return told + "and nothing can be told before."
        standing = [one for one in self.alerts if one.stands and one.alert.model == self.model]
        if not standing:
            if not self.loss.n_labels:
                return (
                    "Do nothing, but label some requests: a changed meaning cannot be seen "
                    "without labels."
                )
            return "Do nothing: no loss is sure."
        lost = format_money(standing[0].alert.a_day, self.currency)
        cause = self.drift.main.cause if self.drift is not None else ""
        return f"{_MENDS.get(cause, 'Look at the requests')}: {lost} are lost a day."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "model": self.model,
            "currency": self.currency,
            "time_utc": self.time_utc,
            "n_decisions": self.n_decisions,
            "loss": None if self.loss is None else self.loss.as_dict(),
            "against": self.against,
            "reference": self.reference,
            "drift": None if self.drift is None else self.drift.as_dict(),
            "evidence": [
                {"evidence": one.evidence, "needed": one.needed, "sure": one.sure}
                for one in self.alarms
            ],
            "raised": list(self.raised),
            "over": list(self.over),
            "alerts": [state.as_dict() for state in self.alerts],
            "topics": [topic.as_dict() for topic in self.topics],
            "findings": [finding.as_dict() for finding in self.findings],
            "deliveries": [delivery.as_dict() for delivery in self.deliveries],
            "advice": self.advice,
        }


_MENDS = {
    "mix": "State the new mix of labels in payoff.toml [mix] and run `payoff run` again",
    "strange": "Label requests of now and train again",
    "meaning": "Label requests of the labels that changed and train again",
    "cost": "Look at what sends more requests to the dear models",
    "launch": "Look at the forecast: the model never earned it",
}
