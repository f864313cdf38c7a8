"""Distillation: an encoder is fine-tuned on what a better model makes of every text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.fewer_layers import FewerLayers
from payoff.adapt.engine.adaptations.narrower_layers import NarrowerLayers
from payoff.adapt.engine.adaptations.one_after_the_other import OneAfterTheOther
from payoff.adapt.engine.adaptations.rounded import RoundedWeights
from payoff.adapt.engine.classifier import Classifier, classifier_vectors
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.objectives.soft_cross_entropy import SoftCrossEntropy
from payoff.adapt.recipes.fine_tune import FineTune
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.made_up import made_up
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.soft_targets import fit_soft
from payoff.adapt.recipes.teacher import lesson, teacher_of
from payoff.adapt.recipes.teacher_layers import with_layers_of
from payoff.adapt.recipes.tuned import TuneAttempt, usual_epochs
from payoff.adapt.recipes.tuned_settings import MERGED
from payoff.adapt.recipes.usual import MANY_ROWS, usual_recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

_START_STRENGTH = 10.0  # of the head on frozen vectors, as for those that learn labels


class DistilEncoder(FineTune):
    """Fine-tuning of an encoder on a teacher's probabilities in place of smoothed labels.

    Who teaches is the setting ``teacher``, as `teacher.teacher_of` reads it: a larger backbone, a
    recipe on one, an artifact, an endpoint; by itself what the encoder's own frozen vectors say
    (Furlanello et al. 2018, "Born-Again Neural Networks"). Of a training text the student learns a
    blend of label and probabilities, ``truth`` being the share of the label; of an unlabelled
    text, the probabilities.

    With ``start=1`` it starts from the layers of its teacher, an artifact made from the same
    backbone, and not from the backbone's own (Sanh et al. 2019, "DistilBERT", section 3).

    The student may be smaller than its backbone: ``layers`` keeps so many of its layers,
    ``neurons`` so many feed-forward neurons of each, and ``bits`` trains it with weights that are
    rounded as they will be served, so that all of it heals.

    ``made`` makes up so many texts for each of training, which the teacher labels as it does
    those without labels (`made_up`).
    """

    name = "distil-encoder"
    defaults = (("tuned", 0.75), ("teacher", ""), ("truth", 0.5))
    settable = ("learning_rate", "head_learning_rate", "batch_texts", "max_tokens")
    tasks = ("classes",)
    ranges = (("tuned", Range(0.4, 1.0)), ("truth", Range(0.0, 0.9)))

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """With few labels and texts without any, taught by the usual recipe for so few.

        That has to be trained first, so that it comes last. Measured by
        ``benchmarks/labels_curve.py --unlabelled``; docs/recipes.md has the figures.
        """
        teacher = usual_recipe(len(bench.train), len(bench.labels))
        if not bench.unlabelled or teacher == MANY_ROWS:
            return []
        return [
            replace(
                candidate.having("teacher", teacher),
                last=True,
                title=f"{self.name} {candidate.backbone} taught by {teacher}",
            )
            for candidate in super().standard(bench)
        ]

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One an encoder, taught by the one with most layers and the widest."""
        usual = super().standard(bench)
        if not usual:
            return []

        def size(name: str) -> tuple[int, int]:
            shape = bench.opened(name).encoder.shape
            return shape.layers * shape.width, shape.width

        largest = max((candidate.backbone for candidate in usual), key=size)
        return [candidate.having("teacher", largest) for candidate in usual]

    def optional(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Any]:
        """Rates and texts a step; ``layers``, ``neurons`` and ``bits``, 0 for all; ``made``."""
        smaller = {"layers": 0, "neurons": 0, "bits": 0}
        counts = {**super().optional(candidate, bench), **smaller, "made": 0}
        counts.pop(MERGED, None)  # nothing is added that could be left beside the layers
        return counts

    def adaptation(self, candidate: Candidate) -> Adaptation | None:
        """What makes the student smaller; None for nothing."""
        settings = dict(candidate.settings)
        smaller: list[Adaptation] = []
        if settings.get("layers"):
            smaller.append(FewerLayers(settings["layers"]))
        if settings.get("neurons"):
            smaller.append(NarrowerLayers(settings["neurons"]))
        if settings.get("bits"):
            smaller.append(RoundedWeights(settings["bits"]))
        return OneAfterTheOther(*smaller) if smaller else None

    def epochs(self, bench: Workbench) -> float:
        """As many steps as for labels, on more texts."""
        return usual_epochs(len(bench.train) + len(bench.unlabelled))

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The teacher's, and a fine-tuning's on all texts."""
        teacher = teacher_of(candidate["teacher"], self.name, bench)
        n_train = max(1, len(bench.train))
        n_more = len(bench.unlabelled) + n_made(candidate) * len(bench.train)
        more = (n_train + n_more) / n_train
        return teacher.seconds(bench) + more * super().seconds(candidate, bench)

    def objective(self, candidate: Candidate, bench: Workbench) -> Objective:
        """Cross-entropy with shares as targets."""
        return SoftCrossEntropy()

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """As for labels."""
        return Schedule(depth=candidate["depth"], epochs=candidate["epochs"], seed=bench.seed)

    def start(self, candidate: Candidate, bench: Workbench) -> StudentEncoderAttempt:
        """Prepare the activations below the lowest trained layer.

        Raises:
            AdaptError: PF405 where the backbone is no encoder; PF406 for a smaller student that
                does not start as all its layers, or is not served as it was trained; as
                `teacher_of` says.
        """
        need_family(self.name, bench, candidate.backbone)
        teacher_of(candidate["teacher"], self.name, bench)
        if self.adaptation(candidate) is not None or from_teacher(candidate):
            for name, value in (("depth", 0), ("tuned", 1.0)):
                if candidate[name] != value:
                    raise AdaptError(
                        "PF406",
                        f"recipe '{self.name}', setting '{name}'",
                        f"{candidate[name]} beside layers, neurons or bits",
                        expected=f"{value}: a smaller student has no other layers to fall back on",
                        mend=f"Give --set {name}={value} too.",
                    )
        bench = taught_on(candidate, bench)
        return StudentEncoderAttempt(self, candidate, bench.with_unlabelled, taught_on=bench)

    def as_saved(self, candidate: Candidate, bench: Workbench) -> StudentEncoderAttempt:
        """It has learnt: its teacher may be gone."""
        return StudentEncoderAttempt(self, candidate, bench, taught_on=bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head as ONNX; the teacher is no part of it."""
        bench = taught_on(candidate, bench).with_unlabelled
        return super().export(candidate, bench, saved, target)


def n_made(candidate: Candidate) -> int:
    """Texts that are made up for each of training.

    Raises:
        AdaptError: PF406 for a number below 0.
    """
    found = int(dict(candidate.settings).get("made", 0))
    if found < 0:
        raise AdaptError("PF406", "setting 'made'", f"{found}", expected="0, 1, 2 …")
    return found


def taught_on(candidate: Candidate, bench: Workbench) -> Workbench:
    """The workbench with the texts that are made up for a candidate."""
    n = n_made(candidate) * len(bench.train)
    texts = tuple(bench.texts[row] for row in bench.train) if n else ()
    return bench.with_more(made_up(texts, n, seed=bench.seed))


def from_teacher(candidate: Candidate) -> bool:
    """Whether a candidate starts from its teacher's layers."""
    return bool(dict(candidate.settings).get("start"))


@dataclass
class StudentEncoderAttempt(TuneAttempt):
    """One training on all texts; ``bench`` has those without labels behind the others."""

    taught_on: Workbench | None = None
    _kept: NDArray[np.float32] | None = None
    _begun: bool = False  # before this process: what was saved takes the place of any start

    @cached_property
    def lesson(self) -> NDArray[np.float32]:
        """What each text of `rows` should give, ``(len(rows), n_labels)``.

        The teacher is asked once; what it said is saved with the student.
        """
        if self._kept is not None:
            return self._kept
        assert self.taught_on is not None
        teacher = teacher_of(self.candidate["teacher"], self.recipe.name, self.taught_on)
        found = lesson(teacher, self.taught_on, truth=self.candidate["truth"])
        return found.astype(np.float32)

    def start_encoder(self) -> Encoder:
        """The backbone's, or one with the teacher's layers."""
        own = super().start_encoder()
        if self._begun or not from_teacher(self.candidate):
            return own
        return with_layers_of(self.candidate["teacher"], own, self.recipe.name)

    def rows(self) -> NDArray[np.int64]:
        """Training rows, then all without labels."""
        assert self.taught_on is not None
        more = len(self.taught_on.texts) + np.arange(len(self.taught_on.unlabelled))
        return np.concatenate([self.bench.train, more])

    def targets(self) -> NDArray[Any]:
        """``(n_texts, n_labels)``; 0 for texts that are not trained on."""
        found = np.zeros((len(self.bench.texts), len(self.bench.labels)), np.float32)
        found[self.rows()] = self.lesson
        return found

    def start_head(self) -> LinearHead:
        """Fitted to the same lesson, on the vectors that the untrained student has."""
        trunk = self.bench.opened(self.candidate.backbone).trunk
        if self._kept is not None:  # the trained head takes its place at once
            nothing = np.zeros((len(self.bench.labels), trunk.encoder.shape.width), np.float32)
            return LinearHead(nothing, nothing[:, 0])
        smaller = self.recipe.adaptation(self.candidate) is not None
        if not smaller and not from_teacher(self.candidate):
            vectors = trunk.pooled()[self.rows()]
        else:
            nothing = np.zeros((len(self.bench.labels), trunk.encoder.shape.width), np.float32)
            student = self._classifier(nothing, nothing[:, 0]).eval()
            vectors = classifier_vectors(student, trunk, self.rows())
        return fit_soft(vectors, self.lesson, strength=_START_STRENGTH)

    def state(self) -> Mapping[str, Any]:
        """What `save` writes, with the lesson."""
        return {**super().state(), "lesson": torch.from_numpy(self.lesson)}

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        state = torch.load(folder / "training.pt", weights_only=True)
        self._kept, self._begun = state["lesson"].numpy(), True
        self.training.resume(state)

    def saved_classifier(self, folder: Path) -> Classifier:
        """The classifier to be served, as saved; the teacher is not needed any more."""
        self._begun = True
        return super().saved_classifier(folder)

    def take_up(self, folder: Path) -> None:
        """Go on exactly where `keep` was called."""
        self.restore(folder)
