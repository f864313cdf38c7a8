"""ClassValue: where one label is worth something else than the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from payoff.economics.stated import Stated


@dataclass(frozen=True, slots=True)
class ClassValue:
    """Overrides for requests whose true label is this one; None keeps the payoff's own value.

    Args:
        correct: Worth of acting rightly on such a request.
        wrong: Worth of acting as any other label on such a request.
        handoff: Worth of handing such a request over, all in (net of the person's wage).

    Example:
        >>> ClassValue(wrong=-200.0).as_dict()
        {'wrong': -200.0}
    """

    correct: float | None = None
    wrong: float | None = None
    handoff: float | None = None

    def check(self, stated: Stated) -> None:
        """Note each value that is not finite (PF203)."""
        for key in ("correct", "wrong", "handoff"):
            stated.optional(key, getattr(self, key))

    def as_dict(self) -> dict[str, float]:
        """The values that are set, under the keys of ``[value.classes.LABEL]``."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return {key: value for key, value in given.items() if value is not None}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], stated: Stated) -> ClassValue:
        """Read ``[value.classes.LABEL]``; unknown keys are noted in ``stated`` (PF202).

        Example:
            >>> ClassValue.from_dict({"wrong": -9.0}, Stated("here"))
            ClassValue(correct=None, wrong=-9.0, handoff=None)
        """
        known = [item.name for item in fields(cls)]
        stated.keys(table, known)
        return cls(**{key: table[key] for key in known if key in table})
