"""The frontier: forms of a model that no other form is better than in everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_NOISE = 0.05
"""Share by which two measured times must differ to be told apart."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a form stands.

    Args:
        name: Of the form.
        value: Mean worth of a request on validation rows; more is better.
        size_bytes: Of its artifact.
        memory_bytes: Most that a process of it held.
        p50_ms: Of single answers.
        seconds_a_text: In batches.
    """

    name: str
    value: float
    size_bytes: float
    memory_bytes: float
    p50_ms: float
    seconds_a_text: float

    def dominates(self, other: Position) -> bool:
        """Whether it is as good in everything, and better in something that is told apart.

        Example:
            >>> small = Position("int8", 1.0, 20e6, 9e7, 1.0, 0.001)
            >>> large = Position("fp32", 1.0, 90e6, 2e8, 1.01, 0.001)
            >>> small.dominates(large), large.dominates(small)
            (True, False)
        """
        times = (
            (self.p50_ms, other.p50_ms),
            (self.seconds_a_text, other.seconds_a_text),
            (self.memory_bytes, other.memory_bytes),
        )
        as_good = (
            self.value >= other.value
            and self.size_bytes <= other.size_bytes
            and all(mine <= theirs * (1 + _NOISE) for mine, theirs in times)
        )
        better = (
            self.value > other.value
            or self.size_bytes < other.size_bytes
            or any(mine * (1 + _NOISE) < theirs for mine, theirs in times)
        )
        return as_good and better


def frontier(positions: Sequence[Position]) -> list[Position]:
    """Those that no other dominates, in their order.

    Example:
        >>> whole = Position("fp32", 1.02, 90e6, 2e8, 3.0, 0.002)
        >>> small = Position("int8", 1.01, 20e6, 9e7, 1.0, 0.001)
        >>> worse = Position("int4", 1.00, 21e6, 9e7, 1.5, 0.001)
        >>> [one.name for one in frontier([whole, small, worse])]
        ['fp32', 'int8']
    """
    return [one for one in positions if not any(other.dominates(one) for other in positions)]
