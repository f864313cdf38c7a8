"""A range of one setting of a recipe, for a sweep that looks for a better value than the usual."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from payoff.core.errors import AdaptError

_DIGITS = 3  # that a proposed number is rounded to: more mean nothing, and names stay short


@dataclass(frozen=True, slots=True)
class Range:
    """Where a sweep may look for one setting: between two numbers, or among choices.

    Args:
        low: Smallest number. Where ``low`` and ``high`` are both ``int``, so is every number.
        high: Largest number.
        log: Whether equal factors, not equal differences, are equally far apart.
        choices: Values to choose among, instead of numbers.

    Raises:
        AdaptError: PF406 where no number lies in it.

    Example:
        >>> Range(1e-5, 1e-3, log=True).rounded(0.000123456)
        0.000123
        >>> Range(choices=("weights", "logit-adjustment")).holds("weights")
        True
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.choices:
            return
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not finite or self.low >= self.high or (self.log and self.low <= 0):
            raise AdaptError(
                "PF406",
                "range of a setting",
                f"from {self.low} to {self.high}",
                expected="finite numbers in order, above 0 where their distance is logarithmic",
            )

    @classmethod
    def around(cls, usual: float, factor: float) -> Range:
        """From the usual value over ``factor`` to the usual value times ``factor``.

        Example:
            >>> Range.around(2e-4, 5)
            Range(low=4e-05, high=0.001, log=True, choices=())
        """
        low, high = (float(f"{bound:.{_DIGITS}g}") for bound in (usual / factor, usual * factor))
        return cls(low, high, log=True)

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole ones."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it."""
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    def rounded(self, value: Any) -> Any:
        """A proposed value to three digits, and within the range."""
        if self.choices or self.whole:
            return value
        return float(min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        if self.choices:
            return {"choices": list(self.choices)}
        return {"low": self.low, "high": self.high, "log": self.log, "whole": self.whole}
