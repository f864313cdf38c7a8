"""Learning over time as a recipe: first the rows that were there, then those that came later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from payoff.adapt.continual import Continual, Forgetting, Memory, extend, forgetting, remember
from payoff.adapt.engine.classifier import Classifier, classifier_logits
from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.recipes.linear import fit_logistic
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.recipes.tuned_settings import planned_schedule
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

_UNKNOWN = 20.0  # how far below its lowest score a model puts a class that it has never seen


class ContinualTuning(Tuned):
    """Fine-tune on the earlier rows, keep a few of them, then learn the later rows with those.

    Where `Workbench.later` names no row, nothing came later, and it is fine-tuning of the upper
    half. See `payoff.adapt.continual` for what the settings do.
    """

    name = "continual"
    tasks = ("classes",)
    settable = ("learning_rate", "head_learning_rate", "batch_texts")
    rungs = (0.5, 1.0)
    defaults: tuple[tuple[str, Any], ...] = (
        ("kept_texts", 3000),
        ("replay", 1.0),
        ("consolidation", 0.0),
        ("distillation", 0.3),
    )

    def start(self, candidate: Candidate, bench: Workbench) -> ContinualAttempt:
        """Prepare the activations below the lowest trained layer.

        Raises:
            AdaptError: PF405 where the earlier rows are of fewer than two classes.
        """
        earlier = np.setdiff1d(bench.train, bench.later)
        if len(np.unique(bench.targets[earlier])) < 2:
            raise AdaptError(
                "PF405",
                f"recipe '{self.name}'",
                f"the {len(earlier)} earlier rows are of fewer than two labels",
                expected="rows of two labels or more that were there before",
            )
        return ContinualAttempt(self, candidate, bench)


@dataclass
class ContinualAttempt(TuneAttempt):
    """Two trainings, one after the other; each takes half of the work."""

    second: FineTuning | None = field(default=None)

    @cached_property
    def earlier(self) -> NDArray[np.int64]:
        """Training rows that were there before."""
        return np.setdiff1d(self.bench.train, self.bench.later)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Labels in the order of the head: those of the earlier rows, then the new ones."""
        known = np.unique(self.bench.targets[self.earlier])
        every = np.arange(len(self.bench.labels))
        return np.concatenate([known, np.setdiff1d(every, known)])

    @cached_property
    def n_known(self) -> int:
        """Labels of the earlier rows."""
        return len(np.unique(self.bench.targets[self.earlier]))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Each text's class as a place in `order`, ``(n_texts,)``."""
        found: NDArray[np.int64] = np.argsort(self.order)[self.bench.targets]
        return found

    @cached_property
    def training(self) -> FineTuning:
        """The first training, on the earlier rows."""
        bench, opened = self.bench, self.bench.opened(self.candidate.backbone)
        opened.trunk.prepare((self.candidate["depth"],))
        head = fit_logistic(
            opened.trunk.pooled()[self.earlier],
            self.places[self.earlier],
            n_labels=self.n_known,
            strength=10.0,
        )
        return FineTuning(
            self._classifier(head.weight, head.bias),
            opened.trunk,
            self.places,
            rows=self.earlier,
            schedule=planned_schedule(self.recipe, self.candidate, bench),
            progress=bench.progress,
        )

    @property
    def latest(self) -> FineTuning:
        """The training that is under way, or done."""
        return self.second or self.training

    def _begun(self) -> FineTuning:
        """The second training, from the end of the first."""
        memory = self._memory()
        return extend(
            memory,
            self.training.trunk,
            self.places,
            rows=np.intersect1d(self.bench.train, self.bench.later),
            n_labels=len(self.order),
            how=self._how(),
            schedule=planned_schedule(self.recipe, self.candidate, self.bench),
            progress=self.bench.progress,
        )

    def _how(self) -> Continual:
        settings = {name: self.candidate[name] for name, _ in ContinualTuning.defaults}
        return Continual(**settings, seed=self.bench.seed)

    def _memory(self) -> Memory:
        return remember(
            self.training.classifier,
            self.training.trunk,
            self.places,
            rows=self.earlier,
            how=self._how(),
        )

    def advance(self, share: float) -> None:
        """Train up to ``share`` of both trainings; of the first alone where nothing came later."""
        if not len(np.intersect1d(self.bench.train, self.bench.later)):
            self.training.advance(share)
            return
        self.training.advance(min(1.0, 2 * share))
        if share > 0.5:
            self.second = self.second or self._begun()
            self.second.advance(2 * share - 1)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``; a label that no row has told of yet is far below all."""
        return self._scores(self.latest.classifier, rows)

    def _scores(self, classifier: Classifier, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        known = classifier_logits(classifier, self.training.trunk, rows)
        scores = np.repeat(known.min(axis=1, keepdims=True) - _UNKNOWN, len(self.order), axis=1)
        scores[:, self.order[: known.shape[1]]] = known
        return np.asarray(scores, np.float32)

    def forgotten(self) -> Forgetting | None:
        """What the second training cost on the known labels, by validation rows.

        None where there was no second training, or no validation row has a known label.
        """
        truth = self.bench.targets[self.bench.validation]
        rows = self.bench.validation[np.isin(truth, self.order[: self.n_known])]
        if self.second is None or not len(rows):
            return None
        before = self._scores(self.training.classifier, rows).argmax(axis=1)
        return forgetting(before, self.logits(rows).argmax(axis=1), self.bench.targets[rows])

    def state(self) -> Mapping[str, Any]:
        """Both trainings."""
        return {
            "first": self.training.state(),
            "second": self.second.state() if self.second else None,
        }

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        state = torch.load(folder / "training.pt", weights_only=True)
        self.training.resume(state["first"])
        self.training.classifier.eval()
        if state["second"] is not None:
            self.second = self._begun()
            self.second.resume(state["second"])
            self.second.classifier.eval()

    def take_up(self, folder: Path) -> None:
        """Go on exactly where `keep` was called."""
        self.restore(folder)

    def saved_classifier(self, folder: Path) -> Classifier:
        """The classifier as saved, its head in the order of the workbench's labels."""
        self.restore(folder)
        classifier = self.latest.classifier.eval()
        n_known, width = classifier.head.out_features, classifier.head.in_features
        weight = torch.zeros(len(self.order), width)
        bias = torch.full((len(self.order),), -1e4)
        place = torch.from_numpy(self.order[:n_known])
        weight[place] = classifier.head.weight.detach()
        bias[place] = classifier.head.bias.detach()
        classifier.head = nn.Linear(width, len(self.order))
        classifier.head.load_state_dict({"weight": weight, "bias": bias})
        return classifier
