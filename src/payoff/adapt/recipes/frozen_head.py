"""A frozen encoder with a logistic regression on its pooled vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from payoff.adapt.recipes.linear import HeadAttempt, LinearHead
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.tasks import TASKS
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec


class FrozenHead:
    """Encode once, then fit heads of several strengths on the same vectors."""

    name = "frozen-head"
    rungs = (1.0,)
    tasks = TASKS

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Three strengths a backbone: 10 is the best start (FACTS), the others bracket it."""
        return [
            Candidate(self.name, name, (("C", strength),))
            for name in bench.backbones
            if bench.opened(name).backbone.family == "encoder"
            for strength in (10.0, 30.0, 3.0)
        ]

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The middle strength."""
        return [c for c in self.candidates(bench) if c["C"] == 10.0]

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """Strengths of the penalty."""
        return {"C": Range(1.0, 100.0, log=True)}

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """One pass of the encoder where it is still to be done, and the fit."""
        opened = bench.opened(candidate.backbone)
        passes = 0.0 if opened.trunk.is_prepared() else opened.forward_seconds()
        return passes + fit_seconds(len(bench.train), len(bench.labels))

    def start(self, candidate: Candidate, bench: Workbench) -> HeadAttempt:
        """Encode (or reuse what is encoded)."""
        vectors = bench.opened(candidate.backbone).trunk.pooled()
        return HeadAttempt(
            vectors,
            bench.targets,
            bench.train,
            len(bench.labels),
            candidate["C"],
            task=bench.task,
        )

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The whole encoder and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        head = LinearHead.restore(saved)
        return write_encoder_tier(opened, opened.encoder.layers, head, target, name=candidate.name)


def fit_seconds(n_rows: int, n_labels: int) -> float:
    """Rough seconds of a logistic regression: 4 s were seen for 8,000 rows of 77 classes."""
    return 0.2 + 6.5e-6 * n_rows * n_labels
