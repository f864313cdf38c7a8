"""Distillation: a small model learns what a large one makes of every text."""

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
from payoff.adapt.recipes.soft_targets import fit_soft, one_hot
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.artifact.tier import TierSpec


class Distil(ClosedForm):
    """Static vectors with a head that learns an encoder's probabilities (Hinton et al. 2015).

    The teacher is the logistic regression on the frozen vectors of the encoder ``teacher``. Of a
    training text the student learns a blend of label and probabilities, ``truth`` being the share
    of the label; of an unlabelled text, the probabilities.
    """

    name = "distil"

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate a static backbone, taught by the first encoder; none without both."""
        families = {name: bench.opened(name).backbone.family for name in bench.backbones}
        teachers = [name for name, family in families.items() if family == "encoder"]
        return [
            Candidate(self.name, name, (("teacher", teachers[0]), ("C", 30.0), ("truth", 0.5)))
            for name, family in families.items()
            if teachers and family == "static"
        ]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The teacher's passes and fit, and the student's fit."""
        teacher = bench.opened(candidate["teacher"])
        a_token = teacher.forward_seconds() / max(1, len(teacher.tokens.ids))
        todo = 0 if teacher.trunk.is_prepared() else len(teacher.tokens.ids)
        if bench.unlabelled and not teacher.unlabelled_trunk.is_prepared():
            todo += len(teacher.unlabelled_tokens.ids)
        n_labels, n_train = len(bench.labels), len(bench.train)
        student = logistic_seconds(n_train + len(bench.unlabelled), n_labels)
        return a_token * todo + logistic_seconds(n_train, n_labels) + student

    def start(self, candidate: Candidate, bench: Workbench) -> StudentAttempt:
        """Average the vectors of each text.

        Raises:
            AdaptError: PF405 where the teacher is no encoder or the student no static backbone.
        """
        need_family(self.name, bench, candidate["teacher"])
        need_family(self.name, bench, candidate.backbone, family="static")
        return StudentAttempt(self, candidate, bench)

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """The student's head."""
        teacher, student = bench.opened(candidate["teacher"]), bench.opened(candidate.backbone)
        head = teacher.start_head(bench.train)
        vectors = [student.static[bench.train]]
        truth = candidate["truth"]
        taught = Calibration().apply(head(teacher.trunk.pooled()[bench.train]))
        known = one_hot(bench.train_targets, len(bench.labels))
        shares = [truth * known + (1.0 - truth) * taught]
        if bench.unlabelled:
            vectors.append(student.unlabelled_static)
            shares.append(Calibration().apply(head(teacher.unlabelled_trunk.pooled())))
        return fit_soft(np.concatenate(vectors), np.concatenate(shares), strength=candidate["C"])

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
