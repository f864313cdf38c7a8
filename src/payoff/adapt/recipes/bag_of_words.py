"""Word and character n-grams with a linear model: no pretrained weights, answers in microseconds.

The n-grams are made, and the scores computed, by the code that serves them
(`payoff.artifact.runtime.ngrams`), so that training and serving cannot differ.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.tasks import TASKS
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.extras import require
from payoff.core.files import whole_folder

_PROBABILISTIC = 10.0  # strength of a head that gives probabilities, over that of one of margins
_PAIRS = {"separator": " "}  # n-grams see white space where the texts of a pair meet


class BagOfWords:
    """TF-IDF of n-grams with a linear support vector machine (Joachims 1998)."""

    name = "bag-of-words"
    rungs = (1.0,)
    tasks = TASKS

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Two strengths of the penalty."""
        return [Candidate(self.name, "", (("C", strength),)) for strength in (1.0, 0.2)]

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The weaker penalty."""
        return self.candidates(bench)[:1]

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """Strengths of the penalty."""
        return {"C": Range(0.05, 5.0, log=True)}

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Grows with the text to cut and the classes to separate."""
        characters = sum(len(bench.texts[row]) for row in bench.train)
        return 0.5 + 4e-6 * characters + 5e-6 * len(bench.train) * len(bench.labels)

    def start(self, candidate: Candidate, bench: Workbench) -> NgramAttempt:
        """Learn the vocabulary from the training rows."""
        return NgramAttempt(bench, candidate["C"])

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """What was saved is what is served."""
        spec = TierSpec(candidate.name, "ngrams", settings=_PAIRS if bench.has_pairs else {})
        with whole_folder(target) as draft:
            for member in spec.members:
                shutil.copyfile(saved / member, draft / member)
        return spec


@dataclass
class NgramAttempt:
    """The training of a linear model on n-grams: one step, no pauses."""

    bench: Workbench
    strength: float
    model: NgramRuntime | None = None

    def advance(self, share: float) -> None:
        """Fit, at any share."""
        if self.model is not None:
            return
        bench = self.bench
        texts = [bench.texts[row] for row in bench.train]
        vectoriser = NgramVectoriser.fit(texts, min_df=2 if len(texts) >= 2000 else 1)
        sparse = require("scipy.sparse", "tune", "training on n-grams")
        indptr, indices, data = vectoriser.matrix(texts)
        shape = (len(texts), vectoriser.n_features)
        weight, bias = self._fit(sparse.csr_matrix((data, indices, indptr), shape=shape))
        # Half precision, as it is served, so that it is also judged as it is served.
        self.model = NgramRuntime(vectoriser, weight.T.astype(np.float16), bias)

    def _fit(self, rows: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights ``(n_labels, n_features)`` and biases of sparse rows of n-grams."""
        bench = self.bench
        if bench.task.name != "classes":  # margins of a support vector machine tell no shares
            head = bench.task.head(
                rows,
                bench.train_targets,
                n_outputs=len(bench.labels),
                strength=_PROBABILISTIC * self.strength,
            )
            return head.weight, head.bias
        svm = require("sklearn.svm", "tune", "training on n-grams")
        model = svm.LinearSVC(C=self.strength, random_state=bench.seed)
        model.fit(rows, bench.train_targets)
        weight, bias = model.coef_, np.atleast_1d(model.intercept_)
        if len(bench.labels) == 2:  # one row of weights says both classes
            weight = np.concatenate([-weight / 2, weight / 2])
            bias = np.concatenate([-bias / 2, bias / 2])
        return weight, bias

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.model is not None
        return self.model.logits([self.bench.texts[row] for row in rows])

    def save(self, folder: Path) -> None:
        """Write the two members of an n-gram tier."""
        assert self.model is not None
        self.model.save(folder)

    def restore(self, folder: Path) -> None:
        """Read them."""
        self.model = NgramRuntime.open(lambda name: (folder / name).read_bytes())
