"""Alert: a loss that is sure, with the money at stake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from payoff.core.errors import ServiceError
from payoff.core.money import format_money

DAYS_A_MONTH = 730 / 24
"""A month is 730 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What people are told. It holds figures and labels, and nothing that a customer wrote.

    Args:
        key: The same for the same trouble, so that nobody is told twice: ``"loss support"``.
        model: Name of the model.
        a_day: Money lost a day.
        low: Lower end of its interval, 5 %.
        high: Upper end, 95 %.
        currency: Of the money.
        cause: What explains most of it, in one sentence.
        since: The day on which it began, about, such as ``"2026-11-03"``.
        n_requests: Requests that were looked at.
        n_labels: Labels that were in hand.
        mended: Whether what lost the money was undone when it was told, as by a roll back: it is
            news, and nothing stands.

    Example:
        >>> alert = Alert(key="loss support", model="support", a_day=120.0, low=80.0, high=160.0,
        ...               currency="EUR", cause="The model is less sure.", since="2026-11-03",
        ...               n_requests=2000, n_labels=150)
        >>> alert.sentence
        'support loses 120.00 EUR a day (80.00 EUR to 160.00 EUR), 3,650 EUR a month, since \
2026-11-03. The model is less sure.'
        >>> Alert.from_dict(alert.as_dict()) == alert
        True
    """

    key: str
    model: str
    a_day: float
    low: float
    high: float
    currency: str
    cause: str
    since: str
    n_requests: int
    n_labels: int
    mended: bool = False

    @property
    def a_month(self) -> float:
        """Money lost in a month of 730 hours."""
        return self.a_day * DAYS_A_MONTH

    @property
    def sentence(self) -> str:
        """The whole of it for people."""
        day, low, high, month = (
            format_money(amount, self.currency)
            for amount in (self.a_day, self.low, self.high, self.a_month)
        )
        verb = "lost" if self.mended else "loses"
        return (
            f"{self.model} {verb} {day} a day ({low} to {high}), {month} a month, "
            f"since {self.since}. {self.cause}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self) | {"a_month": self.a_month}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Alert:
        """The inverse of `as_dict`; keys of a newer payoff are left out.

        Raises:
            ServiceError: PF752 where a fact is missing.
        """
        try:
            told = {"mended": False, **content}  # earlier ones do not say it
            return cls(**{name: told[name] for name in cls.__dataclass_fields__})
        except (KeyError, TypeError) as error:
            raise ServiceError(
                "PF752", "alert events", f"{error!r} is missing", expected="the facts of an alert"
            ) from error
