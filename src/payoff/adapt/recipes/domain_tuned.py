"""What recipes share that learn from texts alone first: then a logistic regression on top."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.classifier import Classifier, classifier_vectors
from payoff.adapt.engine.domain_tuning import DomainTuning, Task, together
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.interpolated import interpolated
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.recipes.frozen_head import fit_seconds
from payoff.adapt.recipes.held_out import N_FOLDS, held_out_loss, on_vectors
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import Fit, usual_fit
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.recipes.tuned_settings import planned_schedule
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import write_json

AUTO = "auto"
"""Value of the setting ``tuned``: as far from the pretrained layers as folds of labels favour."""

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
"""What `AUTO` chooses from; with 0 nothing that was learnt from texts is kept."""

_BATCH_TEXTS = 64
_USUAL_STEPS = 400
_JUDGED_ROWS = 1000  # enough to tell shares apart, few enough to be run once a share


class DomainTuned(Tuned):
    """A recipe that says what is learnt from texts alone, training texts and unlabelled ones.

    An encoder that was made for sentence vectors may lose by it, so that what was learnt is kept
    only as far as it helps (Wortsman et al. 2022, equation 1): ``tuned`` is the share of the way
    from the pretrained layers to the trained ones, or ``auto`` for the one of `SHARES` whose
    vectors give the head the lowest loss on training rows of other folds.
    """

    defaults: tuple[tuple[str, Any], ...] = (("C", 10.0), ("tuned", AUTO))
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
        n_judged = min(_JUDGED_ROWS, len(bench.train))
        n_heads = len(SHARES) * N_FOLDS if told_share(candidate["tuned"]) is None else 0
        fit = fit_seconds(len(bench.train), len(bench.labels))
        fit += n_heads * fit_seconds(n_judged, len(bench.labels))
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
            AdaptError: PF405 where the backbone is no encoder; PF406 for a share out of range.
        """
        need_family(self.name, bench, candidate.backbone)
        told_share(candidate["tuned"])
        return DomainAttempt(self, candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head as ONNX."""
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        classifier = self.start(candidate, bench).saved_classifier(saved)
        layers = [*opened.encoder.layers[: classifier.depth], *classifier.own_layers()]
        head = LinearHead.restore(saved)
        return write_encoder_tier(opened, layers, head, target, name=candidate.name)


def told_share(told: Any) -> float | None:
    """The setting ``tuned`` as a number; None for `AUTO`.

    Raises:
        AdaptError: PF406 where it is neither.

    Example:
        >>> told_share("auto"), told_share("0.5")
        (None, 0.5)
    """
    if told == AUTO:
        return None
    try:
        share = float(told)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 <= share <= 1:
        raise AdaptError(
            "PF406", "setting 'tuned'", f"{told!r}", expected=f"'{AUTO}', or from 0 to 1"
        )
    return share


@dataclass
class DomainAttempt(TuneAttempt):
    """One training on a workbench: layers from texts alone, then a head from the labels."""

    recipe: DomainTuned
    head: LinearHead | None = field(default=None)
    share: float = field(default=0.0)
    """Of the way from the pretrained layers to the trained ones that is served with ``head``."""

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
        head = self._fitted()
        return head(self._vectors(rows, self.share))

    def save(self, folder: Path) -> None:
        """Write layers, optimiser, head, and how far on the way to the layers it was fitted."""
        head = self._fitted()
        super().save(folder)
        head.save(folder)
        write_json(folder / "share.json", {"tuned": self.share})

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        super().restore(folder)
        self.head = LinearHead.restore(folder)
        self.share = json.loads((folder / "share.json").read_text("utf-8"))["tuned"]

    def saved_classifier(self, folder: Path) -> Classifier:
        """The layers to be served, as saved; the head is that of the task."""
        self.restore(folder)
        return self._at(self.share)

    def _at(self, share: float) -> Classifier:
        trained = self.training.classifier
        return trained.eval() if share == 1.0 else interpolated(trained, share)

    def _vectors(self, rows: NDArray[np.int64], share: float) -> NDArray[np.float32]:
        trunk = self.bench.opened(self.candidate.backbone).trunk
        if share == 0.0:
            return trunk.pooled()[rows]
        trunk.prepare((self.candidate["depth"],))
        return classifier_vectors(self._at(share), trunk, rows)

    def _fitted(self) -> LinearHead:
        if self.head is None:
            told = told_share(self.candidate["tuned"])
            self.share = self._best_share() if told is None else told
            rows = self.bench.train
            self.head = self._fit(self._vectors(rows, self.share), self.bench.train_targets)
        return self.head

    @cached_property
    def _fit(self) -> Fit:
        return usual_fit(self.bench, self.candidate.backbone, strength=self.candidate["C"])

    def _best_share(self) -> float:
        """The share with the lowest loss on other folds; 0 where nothing can be judged."""
        bench = self.bench
        rows = np.random.default_rng(bench.seed).permutation(bench.train)[:_JUDGED_ROWS]
        targets = bench.targets[rows]
        losses = [
            held_out_loss(
                on_vectors(self._vectors(rows, share), targets, self._fit), targets, seed=bench.seed
            )
            for share in SHARES
        ]
        return SHARES[int(np.nanargmin(losses))] if np.isfinite(losses).any() else 0.0
