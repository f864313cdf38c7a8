"""What recipes share that learn from texts alone first: then a logistic regression on top."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.classifier import Classifier, classifier_vectors
from payoff.adapt.engine.domain_tuning import DomainTuning, Task, together
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.recipes.frozen_head import fit_seconds
from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.recipes.tuned_settings import planned_schedule
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

_BATCH_TEXTS = 64
_USUAL_STEPS = 400


class DomainTuned(Tuned):
    """A recipe that says what is learnt from texts alone, training texts and unlabelled ones."""

    defaults: tuple[tuple[str, Any], ...] = (("C", 10.0),)
    settable = ("learning_rate", "batch_texts")  # the head is fitted
    tasks = ("classes",)
    ranges = (("C", Range(1.0, 100.0, log=True)),)
    learning_rate = 3e-5
    cost = 1.0
    """Passes through the trained layers a step."""

    def task(self, candidate: Candidate) -> Task:
        """What is learnt from the texts."""
        raise NotImplementedError

    def epochs(self, bench: Workbench) -> float:
        """About 400 steps of 64 texts, between 1 and 10 epochs."""
        n_texts = len(bench.train) + len(bench.unlabelled)
        return float(np.clip(round(_USUAL_STEPS * _BATCH_TEXTS / max(1, n_texts)), 1, 10))

    def passes(self, candidate: Candidate) -> float:
        """As the task says."""
        return self.cost

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """As for all that train inside an encoder, on more texts; and the fit of the head."""
        opened = bench.opened(candidate.backbone)
        a_token = opened.forward_seconds() / max(1, len(opened.tokens.ids))
        more = a_token * len(opened.unlabelled_tokens.ids)
        depth, layers = candidate["depth"], opened.encoder.shape.layers
        # A step on a text without a label costs what one on a training text does, and the frozen
        # layers of all of them are run in every epoch.
        step = 3.2 * self.cost * (layers - depth) / layers + depth / layers
        fit = fit_seconds(len(bench.train), len(bench.labels))
        return super().seconds(candidate, bench) + float(more * candidate["epochs"] * step) + fit

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """Rates and lengths."""
        return Schedule(
            depth=candidate["depth"],
            epochs=candidate["epochs"],
            batch_texts=_BATCH_TEXTS,
            learning_rate=self.learning_rate,
            seed=bench.seed,
        )

    def start(self, candidate: Candidate, bench: Workbench) -> DomainAttempt:
        """Begin from the pretrained layers.

        Raises:
            AdaptError: PF405 where the backbone is no encoder.
        """
        need_family(self.name, bench, candidate.backbone)
        return DomainAttempt(self, candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        classifier = self.start(candidate, bench).saved_classifier(saved)
        layers = [*opened.encoder.layers[: classifier.depth], *classifier.own_layers()]
        head = LinearHead.restore(saved)
        return write_encoder_tier(opened, layers, head, target, name=candidate.name)


@dataclass
class DomainAttempt(TuneAttempt):
    """One training on a workbench: layers from texts alone, then a head from the labels."""

    recipe: DomainTuned
    head: LinearHead | None = field(default=None)

    @cached_property
    def training(self) -> DomainTuning:
        """The training of the layers."""
        bench, opened = self.bench, self.bench.opened(self.candidate.backbone)
        more = len(opened.tokens) + np.arange(len(bench.unlabelled))
        training = DomainTuning(
            opened.encoder,
            together(opened.tokens, opened.unlabelled_tokens),
            rows=np.concatenate([bench.train, more]),
            task=self.recipe.task(self.candidate),
            schedule=planned_schedule(self.recipe, self.candidate, bench),
            progress=bench.progress,
        )
        needed = training.training_bytes()
        views = max(1.0, self.recipe.cost)
        check_memory(self.candidate.name, round(views * needed), available_bytes())
        return training

    def advance(self, share: float) -> None:
        """Train the layers up to ``share`` of the steps; the head is fitted when it is asked."""
        before = self.training.step
        self.training.advance(share)
        if self.training.step != before:
            self.head = None

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        return self._fitted()(self._vectors(rows))

    def save(self, folder: Path) -> None:
        """Write layers, optimiser and head."""
        super().save(folder)
        self._fitted().save(folder)

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        super().restore(folder)
        self.head = LinearHead.restore(folder)

    def saved_classifier(self, folder: Path) -> Classifier:
        """The layers as saved; the head is that of the task."""
        self.restore(folder)
        return self.training.classifier.eval()

    def _vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        trunk = self.bench.opened(self.candidate.backbone).trunk
        trunk.prepare((self.candidate["depth"],))
        return classifier_vectors(self.training.classifier, trunk, rows)

    def _fitted(self) -> LinearHead:
        if self.head is None:
            bench = self.bench
            self.head = fit_logistic(
                self._vectors(bench.train),
                bench.train_targets,
                n_labels=len(bench.labels),
                strength=self.candidate["C"],
            )
        return self.head
