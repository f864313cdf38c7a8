"""Numbers that options take: finite, and within what can be used."""

from __future__ import annotations

import math
from typing import Any, Final

import click


class Finite(click.FloatRange):
    """A range that neither ``nan``, which no comparison refuses, nor ``inf`` is in.

    Example:
        >>> Finite(min=0).convert("2.5", None, None)
        2.5
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number.

        Raises:
            BadParameter: Where it is none, not finite, or out of range.
        """
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


SEED: Final = click.IntRange(0, 2**32 - 1)
"""What every library takes as a seed."""
