"""Figures that long work measures on its way, told to a listener that wants them."""

from __future__ import annotations

from typing import Protocol

from payoff.core.progress import Progress


class Measured(Progress, Protocol):
    """A `Progress` that also wants the figures: a tracker of experiments.

    A listener without this method is told steps and messages as ever.
    """

    def measured(self, name: str, value: float, step: int) -> None:
        """The figure ``name``, such as ``training/loss``, has this value at this step."""


def tell(progress: Progress, name: str, value: float, step: int) -> None:
    """Tell a figure to a listener, where it wants figures.

    Args:
        progress: Who listens.
        name: ``GROUP/NAME``; all figures of a group count their steps alike.
        value: The figure.
        step: Counts upward in whatever the group counts in.

    Example:
        >>> from payoff.core.progress import Silent
        >>> tell(Silent(), "training/loss", 0.7, 3)
    """
    measured = getattr(progress, "measured", None)
    if measured is not None:
        measured(name, value, step)
