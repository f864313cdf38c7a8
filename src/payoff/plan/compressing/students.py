"""Students: smaller models that learn from the one to be compressed, as candidates of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from payoff.adapt.recipes.distil_encoder import DistilEncoder
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.teacher_layers import with_layers_of
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

BITS = 4
"""Of a weight of the layers of a student: with 15 steps a row it healed, as was measured."""


class Students(DistilEncoder):
    """The recipe `distil-encoder` with the students that a compression tries.

    One has all layers, in few bits; one half of them, whole in 8 bits, for speed; one a third of
    them in few bits, for size. Each is trained with its weights rounded as they will be served.

    Args:
        teacher: Artifact of the model to be compressed.
        backbone: What it was made from.
    """

    rungs: tuple[float, ...] = (1.0,)  # they are no rivals: each is another point of size and speed

    def __init__(self, teacher: Path, backbone: str) -> None:
        self.teacher = teacher
        self.backbone = backbone

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None where the backbone is no encoder."""
        usual = [c for c in self.standard(bench) if c.backbone == self.backbone]
        if not usual:
            return []
        layers = bench.opened(self.backbone).encoder.shape.layers
        shapes = [(layers, BITS), (max(1, layers // 2), 8), (max(1, layers // 3), BITS)]
        start = int(self._has_layers(bench))
        settings = ("depth", 0), ("tuned", 1.0), ("teacher", str(self.teacher)), ("start", start)
        found = []
        for kept, bits in dict.fromkeys(shapes):
            candidate = usual[0]
            for name, value in (*settings, ("layers", kept), ("bits", bits)):
                candidate = candidate.having(name, value)
            # What has to heal from being cut takes more passes than what is only rounded.
            passes = candidate["epochs"] * (1.5 if kept == layers else 3.0)
            title = f"student of {kept} of {layers} layers in {bits} bits"
            found.append(replace(candidate.having("epochs", passes), title=title))
        return found

    def _has_layers(self, bench: Workbench) -> bool:
        """Whether the teacher has layers that a student can start from; said where it has none."""
        try:
            with_layers_of(str(self.teacher), bench.opened(self.backbone).encoder, self.name)
        except AdaptError as error:
            bench.progress.say(f"students start from {self.backbone}: {error.found}")
            return False
        return True
