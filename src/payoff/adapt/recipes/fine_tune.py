"""Fine-tuning of all or the upper layers of an encoder, started from the frozen head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.finetuning import (
    Classifier,
    FineTuning,
    Schedule,
    classifier_logits,
)
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

_FORWARD_AND_BACKWARD = 3.2  # cost of a training step over that of a forward pass, as measured


class FineTune:
    """Train the layers from ``depth`` on; those below are frozen and computed once."""

    name = "fine-tune"
    rungs = (0.34, 1.0)

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """The upper half, nearly as good at half the cost, and all layers.

        Where neither fits into the time left, the upper half with half the epochs.
        """
        epochs = _epochs(len(bench.train))
        found = []
        for name in bench.backbones:
            if bench.opened(name).backbone.family != "encoder":
                continue
            half = bench.opened(name).encoder.shape.layers // 2
            bench.opened(name).trunk.expected.add(half)
            for depth, passes in ((half, epochs), (0, epochs), (half, epochs / 2)):
                settings = (("depth", depth), ("epochs", passes))
                short = passes < epochs
                found.append(Candidate(self.name, name, settings, only_if_short=short))
        return list(dict.fromkeys(found))  # half of one layer is none

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """From the measured forward pass, the share of layers trained, and the epochs."""
        opened = bench.opened(candidate.backbone)
        layers = opened.encoder.shape.layers
        share = (layers - candidate["depth"]) / layers
        forward = opened.forward_seconds() * len(bench.train) / len(bench.texts)
        return float(forward * (share * _FORWARD_AND_BACKWARD * candidate["epochs"] + 1.0))

    def start(self, candidate: Candidate, bench: Workbench) -> TuneAttempt:
        """Prepare the activations below the lowest trained layer."""
        return TuneAttempt(candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        classifier = TuneAttempt(candidate, bench).saved_classifier(saved)
        layers = [*opened.encoder.layers[: classifier.depth], *classifier.layers]
        return write_encoder_tier(opened, layers, classifier.head, target, name=candidate.name)


def _epochs(n_train: int) -> float:
    """Fewer texts need more passes: about 600 steps of 32, between 2 and 20 epochs."""
    return float(np.clip(round(600 * 32 / max(1, n_train)), 2, 20))


@dataclass
class TuneAttempt:
    """One fine-tuning on a workbench."""

    candidate: Candidate
    bench: Workbench

    @cached_property
    def training(self) -> FineTuning:
        """The training, from the logistic regression on frozen vectors."""
        bench = self.bench
        opened = bench.opened(self.candidate.backbone)
        opened.trunk.prepare((self.candidate["depth"],))
        head = opened.start_head(bench.train)
        classifier = Classifier(opened.encoder, self.candidate["depth"], head.weight, head.bias)
        return FineTuning(
            classifier,
            opened.trunk,
            bench.targets,
            rows=bench.train,
            schedule=Schedule(
                depth=self.candidate["depth"], epochs=self.candidate["epochs"], seed=bench.seed
            ),
            progress=bench.progress,
        )

    def advance(self, share: float) -> None:
        """Train up to ``share`` of the steps."""
        self.training.advance(share)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        return classifier_logits(self.training.classifier, self.training.trunk, rows)

    def save(self, folder: Path) -> None:
        """Write layers, head and optimiser."""
        import torch

        with (folder / "training.pt").open("wb") as file:
            try:
                torch.save(self.training.state(), file)
            except RuntimeError as error:  # it hides what the disk said
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from error
                raise

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        import torch

        self.training.resume(torch.load(folder / "training.pt", weights_only=True))

    def saved_classifier(self, folder: Path) -> Classifier:
        """The classifier alone, as saved."""
        import torch

        state = torch.load(folder / "training.pt", weights_only=True)["classifier"]
        opened = self.bench.opened(self.candidate.backbone)
        weight = state["head.weight"].numpy()
        classifier = Classifier(
            opened.encoder, self.candidate["depth"], weight, state["head.bias"].numpy()
        )
        classifier.load_state_dict(state)
        return classifier.eval()
