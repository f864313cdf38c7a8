"""Figures that a person states: checked one by one, complained about together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from payoff.core.errors import PayoffError, ProjectError, did_you_mean, raise_all
from payoff.core.money import Money


class Stated:
    """Checks the figures of one section and collects all that is wrong with them.

    Args:
        where: The section as the user names it, such as ``"payoff.toml [traffic]"``.

    Example:
        >>> figures = Stated("payoff.toml [traffic]")
        >>> _ = figures.number("per_month", -5, above=0)
        >>> figures.raise_all()
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF203 payoff.toml [traffic]: 'per_month' is -5\
 (expected a number above 0). Write it without the minus sign.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[PayoffError] = []

    def wrong(self, found: str, *, expected: str = "", mend: str = "", where: str = "") -> None:
        """Note one more thing that is wrong (PF203)."""
        self.problems.append(
            ProjectError("PF203", where or self.where, found, expected=expected, mend=mend)
        )

    def number(
        self,
        key: str,
        value: object,
        *,
        above: float | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        mend: str = "",
    ) -> float:
        """The value as a float; NaN, with a problem noted, where it is no number in the range.

        Args:
            key: Name of the figure.
            value: What is stated.
            above: It must be larger than this.
            at_least: It must not be less than this.
            at_most: It must not be more than this.
            mend: What to do about a figure out of range; what can be told from it where empty.

        Example:
            >>> Stated("here").number("minutes", 4, at_least=0)
            4.0
        """
        figure = math.nan
        if not isinstance(value, bool | str | bytes):
            with suppress(TypeError, ValueError, OverflowError):
                figure = float(value)  # type: ignore[arg-type]
        out_of_range = (
            (above is not None and figure <= above)
            or (at_least is not None and figure < at_least)
            or (at_most is not None and figure > at_most)
        )
        if math.isfinite(figure) and not out_of_range:
            return figure
        if value is None:
            self.wrong(f"'{key}' is missing", expected="a number")
            return math.nan
        wanted = "a finite number"
        if at_least is not None and at_most is not None:
            wanted = f"a number from {at_least:g} to {at_most:g}"
        elif above is not None and at_most is not None:
            wanted = f"a number above {above:g}, at most {at_most:g}"
        elif above is not None or at_least is not None:
            wanted = f"a number above {above:g}" if above is not None else f"{at_least:g} or more"
        if not math.isfinite(figure):
            mend = "Write it in digits, with a point: 4.5."
        elif not mend and figure < 0 and 0 in (above, at_least):
            mend = "Write it without the minus sign."
        self.wrong(f"'{key}' is {value!r}", expected=wanted, mend=mend)
        return math.nan

    def optional(self, key: str, value: object, *, at_least: float | None = None) -> float | None:
        """Like `number`, where None is left as it is."""
        return None if value is None else self.number(key, value, at_least=at_least)

    def currency(self, value: object) -> None:
        """Note a problem (PF610) where the value is no currency code."""
        try:
            Money.of(0, value if isinstance(value, str) else repr(value))
        except PayoffError as error:
            self.problems.append(error)

    def keys(self, found: Mapping[str, Any], known: Iterable[str]) -> None:
        """Note every key that is not known (PF202), with the nearest known one."""
        known = sorted(known)
        for key in found:
            if key not in known:
                self.problems.append(
                    ProjectError(
                        "PF202",
                        self.where,
                        f"key '{key}' is unknown",
                        expected=f"one of {', '.join(known)}",
                        mend=did_you_mean(str(key), known),
                    )
                )

    def raise_all(self) -> None:
        """Raise what was noted: nothing, the one problem, or all of them together.

        Raises:
            ProjectError: PF202 or PF203; `EconomicsError` PF610; `Problems` where there are more.
        """
        raise_all(self.problems)
