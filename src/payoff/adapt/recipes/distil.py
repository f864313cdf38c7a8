"""Distillation: static vectors learn what a larger model makes of every text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm, ClosedFormAttempt
from payoff.adapt.recipes.frozen_head import fit_seconds as logistic_seconds
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.soft_targets import fit_soft
from payoff.adapt.recipes.teacher import lesson, teacher_of
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

_WITHOUT_ENCODER = "bag-of-words"  # a teacher that needs no backbone


class Distil(ClosedForm):
    """Static vectors with a head that learns a teacher's probabilities (Hinton et al. 2015).

    Who teaches is the setting ``teacher``, as `teacher.teacher_of` reads it: by itself the logistic
    regression on the frozen vectors of the first encoder, or bags of words where there is none. Of
    a training text the student learns a blend of label and probabilities, ``truth`` being the share
    of the label; of an unlabelled text, the probabilities.
    """

    name = "distil"

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate a static backbone, taught by the first encoder or by bags of words."""
        families = {name: bench.opened(name).backbone.family for name in bench.backbones}
        encoders = [name for name, family in families.items() if family == "encoder"]
        teacher = encoders[0] if encoders else _WITHOUT_ENCODER
        return [
            Candidate(self.name, name, (("teacher", teacher), ("C", 30.0), ("truth", 0.5)))
            for name, family in families.items()
            if family == "static"
        ]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The teacher's, and the student's fit."""
        teacher = teacher_of(candidate["teacher"], self.name, bench)
        n_texts = len(bench.train) + len(bench.unlabelled)
        return teacher.seconds(bench) + logistic_seconds(n_texts, len(bench.labels))

    def start(self, candidate: Candidate, bench: Workbench) -> StudentAttempt:
        """Average the vectors of each text.

        Raises:
            AdaptError: PF405 where the student is no static backbone; as `teacher_of` says.
        """
        teacher_of(candidate["teacher"], self.name, bench)
        need_family(self.name, bench, candidate.backbone, family="static")
        return StudentAttempt(self, candidate, bench)

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """The student's head."""
        student = bench.opened(candidate.backbone)
        vectors = [student.static[bench.train]]
        if bench.unlabelled:
            vectors.append(student.unlabelled_static)
        teacher = teacher_of(candidate["teacher"], self.name, bench)
        shares = lesson(teacher, bench, truth=candidate["truth"])
        return fit_soft(np.concatenate(vectors), shares, strength=candidate["C"])

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Table and head as ONNX; the teacher is no part of it."""
        from payoff.adapt.export.tokens_tier import write_static_tier

        opened = bench.opened(candidate.backbone)
        return write_static_tier(opened, LinearHead.restore(saved), target, name=candidate.name)


@dataclass
class StudentAttempt(ClosedFormAttempt):
    """One head on static vectors."""

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.head is not None
        return self.head(self.bench.opened(self.candidate.backbone).static[rows])
