"""Who teaches a student: another recipe, a finished artifact, or somebody else's model.

What a teacher knows is asked for once, for the training texts and for those without labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.frozen_head import fit_seconds as logistic_seconds
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.recipes.soft_targets import one_hot
from payoff.adapt.recipes.start_head import start_head
from payoff.adapt.recipes.told import told, with_settings
from payoff.adapt.workbench import Workbench
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder
from payoff.core.registry import Registry
from payoff.economics.desk import CASCADE, POLICY, Desk, load
from payoff.evidence.calibration import fit_temperature

_SUFFIX = ".payoff"
_PARTS = 5  # of the training rows, one of which is held out
_MOST_ASKED = 1000  # of the rows held out: one temperature is all that is fitted
_SECONDS_A_TEXT = 0.01  # of an artifact, until it was asked: a small encoder's, one text at a time


class Teacher(Protocol):
    """Something that gives probabilities to texts."""

    def seconds(self, bench: Workbench) -> float:
        """Expected seconds until all texts are taught."""

    def of_training(self, bench: Workbench) -> NDArray[np.float64]:
        """Probabilities of the training texts, ``(n_train, n_labels)``."""

    def of_unlabelled(self, bench: Workbench) -> NDArray[np.float64]:
        """Probabilities of the texts without labels, ``(n_unlabelled, n_labels)``."""


def teacher_of(named: str, recipe: str, bench: Workbench) -> Teacher:
    """The teacher that a setting names.

    Args:
        named: ``BACKBONE``, for the logistic regression on an encoder's frozen vectors;
            ``RECIPE@BACKBONE`` or ``RECIPE``, such as ``contrastive@mpnet-base`` or ``api``, for
            what that makes of the training rows, its settings in brackets, such as
            ``fine-tune[depth=6]@mpnet-base``; or the path of an artifact, which teaches as it
            answers: a cascade by the model that answers each text.
        recipe: Whose setting it is, for messages.
        bench: The rows.

    Raises:
        AdaptError: PF401 for an unknown recipe; PF406 for a setting that it does not have (when
            it starts); PF405 where the teacher is no encoder, or its
            recipe cannot use these data.
        ArtifactError: Where the artifact cannot be read.
    """
    path = Path(named)
    if named.endswith(_SUFFIX) or path.is_file() or (path / "manifest.json").is_file():
        if not path.exists():  # told now, and not when all texts are encoded
            Artifact.open(path)
        return ArtifactTeacher(path, recipe)
    before, at, backbone = named.rpartition("@")
    name, settings = told(before or named) or (before, "")
    if at or settings or name in Registry("payoff.recipes", "recipe").names:
        return RecipeTeacher(recipe_named(name), backbone if at else "", recipe, settings)
    need_family(recipe, bench, named)
    return HeadTeacher(named)


def lesson(teacher: Teacher, bench: Workbench, *, truth: float) -> NDArray[np.float64]:
    """What a student learns: ``(n_train + n_unlabelled, n_labels)``; rows sum to 1.

    Of a training text that is a blend of label and teacher, of another text the teacher alone.

    Args:
        teacher: Who is asked; not about training texts where ``truth`` is 1.
        bench: The rows.
        truth: Share of the label, from 0 to 1.

    Raises:
        AdaptError: PF406 where ``truth`` is out of range.
    """
    if not 0 <= truth <= 1:
        raise AdaptError("PF406", "setting 'truth'", f"{truth}", expected="from 0 to 1")
    shares = truth * one_hot(bench.train_targets, len(bench.labels))
    if truth < 1:
        shares = shares + (1.0 - truth) * teacher.of_training(bench)
    if bench.unlabelled:
        shares = np.concatenate([shares, teacher.of_unlabelled(bench)])
    return shares


@dataclass(frozen=True, slots=True)
class HeadTeacher:
    """The logistic regression on an encoder's frozen vectors, whose activations all share."""

    backbone: str

    def seconds(self, bench: Workbench) -> float:
        """The passes that are still to be made, and two fits."""
        opened = bench.opened(self.backbone)
        a_token = opened.forward_seconds() / max(1, len(opened.tokens.ids))
        todo = 0 if opened.trunk.is_prepared() else len(opened.tokens.ids)
        if bench.unlabelled and not opened.unlabelled_trunk.is_prepared():
            todo += len(opened.unlabelled_tokens.ids)
        return a_token * todo + 2 * logistic_seconds(len(bench.train), len(bench.labels))

    def of_training(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._said(bench, bench.opened(self.backbone).trunk.pooled()[bench.train])

    def of_unlabelled(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._said(bench, bench.opened(self.backbone).unlabelled_trunk.pooled())

    def _said(self, bench: Workbench, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        opened = bench.opened(self.backbone)

        def without(left: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.float32]:
            return start_head(bench, self.backbone, left)(opened.trunk.pooled()[asked])

        return calibrated(bench, without).apply(
            start_head(bench, self.backbone, bench.train)(vectors)
        )


@dataclass
class RecipeTeacher:
    """Any recipe with its usual settings but for those named, trained on the training rows first.

    It is trained once more, without a fifth of them, to see how sure it may be taken to be. An
    endpoint is not: it answers with a label, and every answer is paid for. What was trained stays
    in the workbench's folder, so that further students of the same rows do not train it again.
    """

    recipe: Recipe
    backbone: str
    student: str
    settings: str = ""
    _trained: Attempt | None = field(default=None)
    _calibration: Calibration = field(default_factory=Calibration)

    def seconds(self, bench: Workbench) -> float:
        """The recipe's own, twice."""
        return 2 * self.recipe.seconds(self._candidate(bench), self._bench(bench))

    def of_training(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._asked(bench, bench.train)

    def of_unlabelled(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._asked(bench, len(bench.texts) + np.arange(len(bench.unlabelled)))

    def _asked(self, bench: Workbench, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if self._trained is None:
            self._trained = self._started(bench, bench.train)
            if self.recipe.name != "api":
                self._calibration = calibrated(
                    bench, lambda left, asked: self._started(bench, left).logits(asked)
                )
        return self._calibration.apply(self._trained.logits(rows))

    def _started(self, bench: Workbench, train: NDArray[np.int64]) -> Attempt:
        candidate, own = self._candidate(bench), replace(self._bench(bench), train=train)
        kept = (bench.shared or bench.folder) / "teachers" / _which(candidate, own)
        attempt = self.recipe.start(candidate, own)
        if kept.exists():
            attempt.restore(kept)
            return attempt
        attempt.advance(1.0)
        with whole_folder(kept) as folder:
            attempt.save(folder)
        return attempt

    def _bench(self, bench: Workbench) -> Workbench:
        return bench.with_unlabelled.using((self.backbone,) if self.backbone else bench.backbones)

    def _candidate(self, bench: Workbench) -> Candidate:
        usual = self.recipe.standard(self._bench(bench))
        if not usual:
            raise AdaptError(
                "PF405",
                f"recipe '{self.student}', teacher '{self.recipe.name}'",
                f"it cannot use {self.backbone or 'these backbones'} or these data",
                mend="Name another teacher: BACKBONE, RECIPE@BACKBONE, or an artifact's path.",
            )
        return with_settings(usual[0], self.settings, where=f"recipe '{self.student}', teacher")


def _which(candidate: Candidate, bench: Workbench) -> str:
    """What tells a trained teacher apart: how it was trained, and on what."""
    how = [candidate.recipe, candidate.backbone, dict(candidate.settings)]
    rows = [(bench.texts[row], bench.targets[row].tolist()) for row in bench.train]
    told = json.dumps([how, bench.seed, bench.labels, rows])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def calibrated(
    bench: Workbench,
    without: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]],
) -> Calibration:
    """How sure a teacher may be taken to be, from training rows that it has not seen.

    Args:
        bench: The rows.
        without: Trains on the first rows and gives the logits of the second, which are others.

    Returns:
        A temperature; 1 where no label has two training rows.
    """
    fold = folds(bench.train_targets, _PARTS, seed=bench.seed)
    held = fold == 0
    if not held.any():
        return Calibration()
    asked = bench.train[held][:_MOST_ASKED]
    return fit_temperature(without(bench.train[~held], asked), bench.targets[asked])


@dataclass
class ArtifactTeacher:
    """What was made before: a larger model, or a cascade that asks its models in turn."""

    path: Path
    student: str

    @cached_property
    def _artifact(self) -> Artifact | Desk:
        artifact = Artifact.open(self.path)
        policy = artifact.read_json(POLICY) if POLICY in artifact.documents else None
        if not (isinstance(policy, dict) and policy.get(CASCADE)):
            return artifact
        artifact.close()
        return load(self.path)

    def seconds(self, bench: Workbench) -> float:
        """A guess: what it takes is known when it was asked."""
        return _SECONDS_A_TEXT * (len(bench.train) + len(bench.unlabelled))

    def of_training(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._asked(bench, tuple(bench.texts[row] for row in bench.train))

    def of_unlabelled(self, bench: Workbench) -> NDArray[np.float64]:
        """See `Teacher`."""
        return self._asked(bench, bench.unlabelled)

    def _asked(self, bench: Workbench, texts: tuple[str, ...]) -> NDArray[np.float64]:
        known = {label: place for place, label in enumerate(self._artifact.labels)}
        unknown = [label for label in bench.labels if label not in known]
        if unknown:
            raise AdaptError(
                "PF405",
                f"recipe '{self.student}', teacher {self.path}",
                f"it does not know {', '.join(repr(label) for label in unknown[:3])}",
                expected="an artifact that knows all labels of these data",
                mend="Name an artifact made from data with the same labels.",
            )
        found = self._artifact.probabilities(texts)[:, [known[label] for label in bench.labels]]
        # An artifact may know more labels than these data have; what it gives those is shared out.
        return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12))
