"""What recipes share whose head on frozen vectors is computed in one go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec


class ClosedForm:
    """A recipe that says how a linear head comes from frozen vectors, and no more.

    Attributes:
        name: As registered.
        rungs: All at once.
        defaults: The settings.
    """

    name: str
    rungs: tuple[float, ...] = (1.0,)
    defaults: tuple[tuple[str, Any], ...] = ()

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """The head from ``bench.train``."""
        raise NotImplementedError

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Expected seconds of `fit`."""
        return 0.2

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder."""
        return [
            Candidate(self.name, name, self.defaults)
            for name in bench.backbones
            if bench.opened(name).backbone.family == "encoder"
        ]

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a recipe is searched where a measurement shows that it can win."""
        return []

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """One pass of the encoder where it is still to be done, and the fit."""
        opened = bench.opened(candidate.backbone)
        passes = 0.0 if opened.trunk.is_prepared() else opened.forward_seconds()
        return passes + self.fit_seconds(candidate, bench)

    def start(self, candidate: Candidate, bench: Workbench) -> ClosedFormAttempt:
        """Encode (or reuse what is encoded)."""
        return ClosedFormAttempt(self, candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The whole encoder and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        head = LinearHead.restore(saved)
        return write_encoder_tier(opened, opened.encoder.layers, head, target, name=candidate.name)


@dataclass
class ClosedFormAttempt:
    """One head: one step, no pauses."""

    recipe: ClosedForm
    candidate: Candidate
    bench: Workbench
    head: LinearHead | None = field(default=None)

    def advance(self, share: float) -> None:
        """Fit, at any share."""
        if self.head is None:
            self.head = self.recipe.fit(self.candidate, self.bench)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.head is not None
        return self.head(self.bench.opened(self.candidate.backbone).trunk.pooled()[rows])

    def save(self, folder: Path) -> None:
        """Write the head."""
        assert self.head is not None
        self.head.save(folder)

    def restore(self, folder: Path) -> None:
        """Read the head."""
        self.head = LinearHead.restore(folder)
