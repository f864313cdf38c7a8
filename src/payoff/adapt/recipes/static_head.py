"""Static token vectors, averaged, with a logistic regression: no encoder runs at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from payoff.adapt.recipes.frozen_head import fit_seconds
from payoff.adapt.recipes.linear import HeadAttempt, LinearHead
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.tasks import TASKS
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec


class StaticHead:
    """The cheapest model that knows words it was not trained on."""

    name = "static-head"
    rungs = (1.0,)
    tasks = TASKS

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Two strengths for each static backbone."""
        return [
            Candidate(self.name, name, (("C", strength),))
            for name in bench.backbones
            if bench.opened(name).backbone.family == "static"
            for strength in (30.0, 3.0)
        ]

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The weaker penalty."""
        return [c for c in self.candidates(bench) if c["C"] == 30.0]

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """Strengths of the penalty."""
        return {"C": Range(1.0, 300.0, log=True)}

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The fit; averaging takes no time worth counting."""
        return 0.5 + fit_seconds(len(bench.train), len(bench.labels))

    def start(self, candidate: Candidate, bench: Workbench) -> HeadAttempt:
        """Average the vectors of each text."""
        vectors = bench.opened(candidate.backbone).static
        return HeadAttempt(
            vectors,
            bench.targets,
            bench.train,
            len(bench.labels),
            candidate["C"],
            task=bench.task,
        )

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Table and head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_static_tier

        opened = bench.opened(candidate.backbone)
        return write_static_tier(opened, LinearHead.restore(saved), target, name=candidate.name)
