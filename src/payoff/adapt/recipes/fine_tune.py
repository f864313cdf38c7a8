"""Fine-tuning of all or the upper layers of an encoder, started from the frozen head."""

from __future__ import annotations

from typing import Any

from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import Tuned
from payoff.adapt.workbench import Workbench


class FineTune(Tuned):
    """Train the layers from ``depth`` on; those below are frozen and computed once.

    For classes the layers served lie three quarters of the way from the pretrained to the tuned
    ones; for other tasks that was not measured, and they are the tuned ones.
    """

    name = "fine-tune"
    defaults: tuple[tuple[str, Any], ...] = (("tuned", 0.75),)
    ranges: tuple[tuple[str, Range], ...] = (("tuned", Range(0.4, 1.0)),)

    def depth(self, bench: Workbench, backbone: str) -> int:
        """All layers."""
        return 0

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder: all layers."""
        if bench.task.name == "classes":
            return super().standard(bench)
        return [candidate.without("tuned") for candidate in super().standard(bench)]

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """The upper half, nearly as good at half the cost, and all layers.

        Where neither fits into the time left, the upper half with half the epochs.
        """
        epochs = self.epochs(bench)
        found = []
        for name in bench.backbones:
            if bench.opened(name).backbone.family != "encoder":
                continue
            half = bench.opened(name).encoder.shape.layers // 2
            bench.opened(name).trunk.expected.add(half)
            for depth, passes in ((half, epochs), (0, epochs), (half, epochs / 2)):
                settings = (("depth", depth), ("epochs", passes), *self.defaults)
                short = passes < epochs
                found.append(Candidate(self.name, name, settings, only_if_short=short))
        return list(dict.fromkeys(found))  # half of one layer is none
