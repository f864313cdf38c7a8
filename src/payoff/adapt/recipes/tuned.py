"""What all recipes share that train inside an encoder, from the head on frozen vectors.

A recipe says which layers, what is trained of them (`engine.adaptations`), what is minimised
(`engine.objectives`) and by which schedule. All start from the head on the frozen vectors
(`start_head`) and from the cached activations below their lowest trained layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier, classifier_logits
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule, load_trained
from payoff.adapt.engine.interpolated import interpolated
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import names_count
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.start_head import start_head
from payoff.adapt.recipes.tuned_settings import (
    MERGED,
    SETTABLE,
    is_merged,
    optional_of,
    planned_objective,
    planned_schedule,
    space_of,
)
from payoff.adapt.recipes.zero_shot import label_seconds
from payoff.adapt.tasks import TASKS
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

_FORWARD_AND_BACKWARD = 3.2  # cost of a training step over that of a forward pass, as measured


class Tuned:
    """A recipe that trains inside an encoder; those in other files say what is particular.

    Attributes:
        name: As registered.
        rungs: Shares of the work after which a candidate is judged.
        defaults: Settings of the recipe's own, beside ``depth`` and ``epochs``.
        settable: What a candidate may name too; the schedule and the objective say what counts
            otherwise.
        ranges: Where a sweep looks for settings of the recipe's own.
        tasks: What it can learn: every task, unless it has an objective of its own.
    """

    name: str
    rungs: tuple[float, ...] = (0.34, 1.0)
    defaults: tuple[tuple[str, Any], ...] = ()
    settable: tuple[str, ...] = SETTABLE
    ranges: tuple[tuple[str, Range], ...] = ()
    tasks: tuple[str, ...] = TASKS

    def __init_subclass__(cls) -> None:
        if "objective" in cls.__dict__ and "tasks" not in cls.__dict__:
            cls.tasks = ("classes",)

    def depth(self, bench: Workbench, backbone: str) -> int:
        """First layer that is trained: the cheap upper half, unless a recipe says otherwise."""
        return bench.opened(backbone).encoder.shape.layers // 2

    def epochs(self, bench: Workbench) -> float:
        """Passes over the training texts."""
        return usual_epochs(len(bench.train))

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder, with the settings that are measured to be good ones."""
        found = []
        for name in bench.backbones:
            if bench.opened(name).backbone.family != "encoder":
                continue
            depth = self.depth(bench, name)
            bench.opened(name).trunk.expected.add(depth)
            settings = (("depth", depth), ("epochs", self.epochs(bench)), *self.defaults)
            found.append(Candidate(self.name, name, settings))
        return found

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a recipe is searched where a measurement shows that it can win."""
        return []

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """From the measured forward pass, the share of layers trained, and the epochs."""
        opened = bench.opened(candidate.backbone)
        layers = opened.encoder.shape.layers
        share = (layers - candidate["depth"]) / layers
        forward = opened.forward_seconds() * len(bench.train) / len(bench.texts)
        steps = _FORWARD_AND_BACKWARD * self.passes(candidate) * candidate["epochs"]
        names = label_seconds(bench, candidate.backbone) if names_count(bench) else 0.0
        return float(forward * (share * steps + 1.0) + names)

    def passes(self, candidate: Candidate) -> float:
        """Forward and backward passes a step."""
        return 1.0

    def adaptation(self, candidate: Candidate) -> Adaptation | None:
        """What is trained of the layers; None for all."""
        return None

    def objective(self, candidate: Candidate, bench: Workbench) -> Objective:
        """What is minimised: by the task, unless a recipe says otherwise."""
        return bench.task.objective()

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """Rates and lengths."""
        return Schedule(depth=candidate["depth"], epochs=candidate["epochs"], seed=bench.seed)

    def optional(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Any]:
        """Rates, texts a step, label smoothing and `MERGED`, where they apply."""
        merged = {} if self.adaptation(candidate) is None else {MERGED: 1}
        return optional_of(self, candidate, bench) | merged

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """Where a sweep looks for better settings."""
        return space_of(self, candidate, bench)

    def start(self, candidate: Candidate, bench: Workbench) -> TuneAttempt:
        """Prepare the activations below the lowest trained layer."""
        return TuneAttempt(self, candidate, bench)

    def as_saved(self, candidate: Candidate, bench: Workbench) -> TuneAttempt:
        """What reads the classifier that an attempt saved."""
        return self.start(candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        classifier = self.as_saved(candidate, bench).saved_classifier(saved)
        make_servable(classifier, candidate)
        layers = [*opened.encoder.layers[: classifier.depth], *classifier.own_layers()]
        return write_encoder_tier(
            opened,
            layers,
            classifier.head,
            target,
            name=candidate.name,
            prompt=None if classifier.prompt is None else classifier.prompt(),
            depth=classifier.depth,
            apart=not is_merged(candidate),
        )


def make_servable(classifier: Classifier, candidate: Candidate) -> None:
    """Fold what was added into the layers, or leave it beside them, as the candidate says."""
    adaptation = classifier.adaptation
    if adaptation is None:
        return
    if is_merged(candidate):
        adaptation.merge(classifier)
    else:
        adaptation.keep_apart(classifier)


def usual_epochs(n_train: int) -> float:
    """Fewer texts need more passes: about 600 steps of 32, between 2 and 20 epochs."""
    return float(np.clip(round(600 * 32 / max(1, n_train)), 2, 20))


@dataclass
class TuneAttempt:
    """One training on a workbench."""

    recipe: Tuned
    candidate: Candidate
    bench: Workbench

    @cached_property
    def training(self) -> FineTuning:
        """The training, from the head on frozen vectors."""
        bench, opened = self.bench, self.bench.opened(self.candidate.backbone)
        opened.trunk.prepare((self.candidate["depth"],))
        head = self.start_head()
        training = FineTuning(
            self._classifier(head.weight, head.bias),
            opened.trunk,
            self.targets(),
            rows=self.rows(),
            schedule=planned_schedule(self.recipe, self.candidate, bench),
            objective=planned_objective(self.recipe, self.candidate, bench),
            progress=bench.progress,
        )
        needed = training.training_bytes()
        check_memory(self.candidate.name, needed, available_bytes())
        return training

    def rows(self) -> NDArray[np.int64]:
        """Rows of the workbench that are trained on."""
        return self.bench.train

    def targets(self) -> NDArray[Any]:
        """What each text of the workbench should give, as the objective takes it."""
        return self.bench.targets

    def start_head(self) -> LinearHead:
        """The head on frozen vectors from which the training starts."""
        return start_head(self.bench, self.candidate.backbone, self.bench.train)

    def start_encoder(self) -> Encoder:
        """The encoder from whose layers the training starts."""
        return self.bench.opened(self.candidate.backbone).encoder

    def _classifier(self, weight: NDArray[Any], bias: NDArray[Any]) -> Classifier:
        torch.manual_seed(self.bench.seed)  # what an adaptation adds starts at random
        return Classifier(
            self.start_encoder(),
            self.candidate["depth"],
            weight,
            bias,
            adaptation=self.recipe.adaptation(self.candidate),
        )

    def advance(self, share: float) -> None:
        """Train up to ``share`` of the steps."""
        self.training.advance(share)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        return classifier_logits(self.served(), self.training.trunk, rows)

    def served(self) -> Classifier:
        """The classifier to be served: the trained one, or one on the way to it (``tuned``)."""
        return self._on_the_way(self.training.classifier)

    def _on_the_way(self, classifier: Classifier) -> Classifier:
        share = dict(self.candidate.settings).get("tuned", 1.0)
        return classifier if share == 1.0 else interpolated(classifier, share)

    def state(self) -> Mapping[str, Any]:
        """What `save` writes: tensors and plain values."""
        return self.training.state()

    def save(self, folder: Path) -> None:
        """Write layers, head and optimiser."""
        with (folder / "training.pt").open("wb") as file:
            try:
                torch.save(self.state(), file)
            except RuntimeError as error:  # it hides what the disk said, and who stopped it
                if isinstance(error.__context__, OSError | KeyboardInterrupt):
                    raise error.__context__ from error
                raise

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        self.training.resume(torch.load(folder / "training.pt", weights_only=True))

    def keep(self, folder: Path) -> None:
        """Write the training down between two of its steps, within `advance`."""
        TuneAttempt.save(self, folder)

    def take_up(self, folder: Path) -> None:
        """Go on exactly where `keep` was called."""
        TuneAttempt.restore(self, folder)

    def saved_classifier(self, folder: Path) -> Classifier:
        """The classifier to be served, as saved."""
        state = torch.load(folder / "training.pt", weights_only=True)["classifier"]
        classifier = self._classifier(state["head.weight"].numpy(), state["head.bias"].numpy())
        load_trained(classifier, state)
        return self._on_the_way(classifier.eval())
