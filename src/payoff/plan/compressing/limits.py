"""Limits: what a founder does not give up for a smaller model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payoff.core.errors import AdaptError
from payoff.plan.options import Option

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Limits:
    """What a compressed model must hold; None is no limit.

    Args:
        most_lost: Points of accuracy, on validation rows, that it may be below the model it is
            made from.
        largest_mb: Megabytes of its artifact.
        slowest_ms: Milliseconds within which half of single answers come, on this machine.
    """

    most_lost: float | None = None
    largest_mb: float | None = None
    slowest_ms: float | None = None

    def lost(self, option: Option, whole: Option) -> float:
        """Points of accuracy lost against the whole model, on validation rows."""
        return 100 * (whole.evidence.quality.accuracy - option.evidence.quality.accuracy)

    def loses_too_much(self, option: Option, whole: Option) -> bool:
        """Whether it is below the floor of accuracy, so that nothing is to be built on it."""
        return self.most_lost is not None and self.lost(option, whole) > self.most_lost + 1e-9

    def broken(self, option: Option, whole: Option) -> str:
        """Which limit it breaks, in words; empty where it holds all."""
        latency, footprint = option.evidence.latency, option.evidence.footprint
        assert latency is not None
        assert footprint is not None
        lost, mb = self.lost(option, whole), footprint.artifact_bytes / _MB
        if self.loses_too_much(option, whole):
            return f"it loses {lost:.2f} points ({self.most_lost:g} at most)"
        if self.largest_mb is not None and mb > self.largest_mb:
            return f"it has {mb:.4g} MB ({self.largest_mb:g} at most)"
        if self.slowest_ms is not None and latency.p50_ms > self.slowest_ms:
            return f"it takes {latency.p50_ms:.2f} ms ({self.slowest_ms:g} at most)"
        return ""

    def within(self, options: Sequence[Option], whole: Option) -> list[Option]:
        """Those that hold all limits.

        Raises:
            AdaptError: PF415 where none does: how near the nearest came.
        """
        held = [option for option in options if not self.broken(option, whole)]
        if not held:
            nearest = (
                min(options, key=lambda one: (self.lost(one, whole), _size(one))),
                min(options, key=_size),
            )
            told = "; ".join(
                dict.fromkeys(f"{one.name}: {self.broken(one, whole)}" for one in nearest)
            )
            raise AdaptError(
                "PF415",
                "payoff compress",
                f"none of {len(options)} forms holds the limits; the nearest: {told}",
                mend="Allow more, or try another recipe: payoff compress … --recipe NAME.",
            )
        return held


def _size(option: Option) -> int:
    assert option.evidence.footprint is not None
    return option.evidence.footprint.artifact_bytes
