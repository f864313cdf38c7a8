"""Build work: people's hours until a plan runs, as the founder states them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.core.money import Money
from payoff.economics.costs import CostLine, build_line
from payoff.economics.stated import Stated

_SOURCE = "payoff.toml [build]"


@dataclass(frozen=True, slots=True)
class BuildWork:
    """What people do once, until the plan runs: tie it in, test it, show it to others.

    Args:
        hours: Their hours.
        wage_per_hour: What an hour costs, in the plan's currency.

    Raises:
        ProjectError: PF203 where a figure is missing, below 0 or not finite.

    Example:
        >>> BuildWork(40, 60).line("EUR").amount
        Money(2400 EUR)
    """

    hours: float
    wage_per_hour: float

    def __post_init__(self) -> None:
        stated = Stated(_SOURCE)
        stated.number("hours", self.hours, at_least=0)
        stated.number("wage_per_hour", self.wage_per_hour, at_least=0)
        stated.raise_all()

    @classmethod
    def from_dict(cls, section: Mapping[str, Any]) -> BuildWork:
        """From the section ``[build]``; a figure that is missing is told as wrong."""
        figures: dict[str, Any] = {"hours": None, "wage_per_hour": None} | dict(section)
        return cls(**figures)

    def as_dict(self) -> dict[str, float]:
        """The section ``[build]``."""
        return {"hours": self.hours, "wage_per_hour": self.wage_per_hour}

    def line(self, currency: str) -> CostLine:
        """What it costs, once."""
        return build_line(self.hours, Money.of(self.wage_per_hour, currency), source=_SOURCE)
