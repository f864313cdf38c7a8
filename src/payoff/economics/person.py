"""Person: who answers the requests that are handed over, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from payoff.economics.stated import Stated

_WHERE = "payoff.toml [person]"


@dataclass(frozen=True, slots=True)
class Person:
    """The people behind ``handoff``: their time, their errors, and how much they can take.

    Args:
        minutes: Minutes spent on one request.
        wage_per_hour: What one hour costs the employer, in the payoff's currency.
        error_rate: Share of requests that the person gets wrong, 0 to 1.
        delay_cost: What the customer's waiting costs, per request.
        capacity_per_month: Requests that the people can answer in a month; None is no limit.

    Raises:
        ProjectError: PF203 for every figure that is negative, not finite or out of range.

    Example:
        >>> Person(minutes=4, wage_per_hour=30).cost_each
        2.0
    """

    minutes: float
    wage_per_hour: float
    error_rate: float = 0.0
    delay_cost: float = field(default=0.0, kw_only=True)
    capacity_per_month: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        stated = Stated(_WHERE)
        stated.number("minutes", self.minutes, at_least=0)
        stated.number("wage_per_hour", self.wage_per_hour, at_least=0)
        stated.number("error_rate", self.error_rate, at_least=0, at_most=1)
        stated.number("delay_cost", self.delay_cost, at_least=0)
        stated.optional("capacity_per_month", self.capacity_per_month, at_least=0)
        stated.raise_all()

    @property
    def cost_each(self) -> float:
        """Wage for one request: ``minutes / 60 × wage_per_hour``."""
        return self.minutes / 60.0 * self.wage_per_hour

    def as_dict(self) -> dict[str, float | None]:
        """The same figures under the keys of ``[person]``.

        Example:
            >>> Person(4, 30).as_dict()["minutes"]
            4
        """
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Person:
        """Read ``[person]``; the inverse of `as_dict`.

        Raises:
            ProjectError: PF202 for unknown keys, PF203 for missing or wrong figures.

        Example:
            >>> Person.from_dict({"minutes": 4, "wage_per_hour": 30}) == Person(4, 30)
            True
        """
        stated = Stated(_WHERE)
        stated.keys(table, (item.name for item in fields(cls)))
        for key in ("minutes", "wage_per_hour"):
            if key not in table:
                stated.wrong(f"'{key}' is missing", expected="a number of 0 or more")
        if table.get("capacity_per_month") == 0:
            stated.wrong(
                "'capacity_per_month' is 0, so that nothing handed over would be answered",
                expected="above 0",
                mend="Leave it out where there is no limit; where there is nobody, remove [person] "
                "and state value.handoff.",
            )
        stated.raise_all()
        return cls(**table)
