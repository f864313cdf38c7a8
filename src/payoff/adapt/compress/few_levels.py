"""Weights on few even levels, a step of their own for every output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from payoff.adapt.compress.encoder_graph import Doubles, is_encoder
from payoff.adapt.compress.shared_values import on_steps, write_with_shared_values
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec

MOST = 255


@dataclass(frozen=True)
class FewLevels:
    """As `rounded weights <payoff.adapt.engine.adaptations.rounded>`, without training.

    Where weights are entropy-coded, even levels lose less a bit than those that are chosen for the
    weights (Gish and Pierce 1968, "Asymptotically efficient quantizing"): what is rare may be far
    away, since it costs bits only where it occurs. Errors are made up for by `compensated`.

    Args:
        levels: Of matrices, an odd number, 0 among them.
        table: Levels of the token table, in which one step serves all rows.

    Raises:
        AdaptError: PF406 for an even number, or one out of range.
    """

    levels: int = 15
    table: int = 63
    name = "few-levels"
    stage = "values"

    def __post_init__(self) -> None:
        for setting, value in (("levels", self.levels), ("table", self.table)):
            need_within(self.name, setting, value, 3, MOST)
            need_within(self.name, setting, value, value | 1, value | 1)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Round the matrices of the layers and the token table; see `write_with_shared_values`."""
        return write_with_shared_values(
            self.name,
            spec,
            folder,
            target,
            texts=texts,
            of_matrix=lambda *_: even(self.levels),
            of_table=lambda *_: even(self.table),
        )


def even(n: int) -> Doubles:
    """So many values from -1 to 1.

    Example:
        >>> even(3).tolist()
        [-1.0, 0.0, 1.0]
    """
    return on_steps(np.linspace(-1, 1, n))
