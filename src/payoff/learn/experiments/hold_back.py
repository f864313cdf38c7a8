"""Hold-back: customers who stay with the old version for a time after a promotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from payoff.core.errors import ServiceError, raise_all
from payoff.economics.stated import Stated

SHARE = 0.05
"""Share of the customers that is held back, unless stated otherwise."""

DAYS = 28.0
"""How long, unless stated otherwise."""

MOST_SHARE = 0.5

_SECTION = "payoff.toml [experiment]"
_KEYS = ("hold_back", "hold_back_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack:
    """Who stays with the old version after a promotion, so that both go on being compared.

    Args:
        share: Of the customers.
        days: How long at most, besides the days in which outcomes mature; it ends sooner where the
            new version surely earns more.

    Raises:
        ServiceError: PF730 where a figure cannot be used; `Problems` where both cannot.

    Example:
        >>> HoldBack().as_dict()
        {'share': 0.05, 'days': 28.0}
    """

    share: float = SHARE
    days: float = DAYS

    def __post_init__(self) -> None:
        stated = {
            "share": (0 < self.share <= MOST_SHARE, f"above 0, at most {MOST_SHARE:g}"),
            "days": (1 <= self.days < float("inf"), "1 or more"),
        }
        raise_all(
            ServiceError(
                "PF730", f"experiment [hold_back.{key}]", "it cannot be used", expected=expected
            )
            for key, (right, expected) in stated.items()
            if not right
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def stated_hold_back(
    section: Mapping[str, Any], *, share: float | None = None, days: float | None = None
) -> HoldBack | None:
    """What a project states in ``[experiment]``, or whoever starts an experiment in its place.

    Args:
        section: The section; may be empty.
        share: In place of the stated one; 0 holds nobody back.
        days: In place of the stated ones.

    Returns:
        None where nobody is held back.

    Raises:
        ProjectError: PF202 for unknown keys; PF203 for wrong figures.
        ServiceError: PF730 where a figure that replaces a stated one cannot be used.

    Example:
        >>> stated_hold_back({}), stated_hold_back({"hold_back": 0})
        (HoldBack(share=0.05, days=28.0), None)
        >>> stated_hold_back({"hold_back": 0}, share=0.1, days=14)
        HoldBack(share=0.1, days=14)
    """
    stated = Stated(_SECTION)
    stated.keys(section, _KEYS)
    told = stated.number(
        "hold_back", section.get("hold_back", SHARE), at_least=0, at_most=MOST_SHARE
    )
    length = stated.number("hold_back_days", section.get("hold_back_days", DAYS), at_least=1)
    stated.raise_all()
    share = told if share is None else share
    return HoldBack(share=share, days=length if days is None else days) if share else None
