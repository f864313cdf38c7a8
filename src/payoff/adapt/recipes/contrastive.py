"""Contrastive fine-tuning of an encoder, half of the way, then a head on its new vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from payoff.adapt.engine.averaged_training import AveragedTraining, member_seed
from payoff.adapt.engine.classifier import Classifier, classifier_vectors
from payoff.adapt.engine.contrastive_tuning import Contrast, ContrastiveTuning
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import named_fit
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.recipes.zero_shot import label_seconds
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

_FEW = 20  # rows a class: beyond, fine-tuning with a head is better
_FORWARD_AND_BACKWARD = 3.2  # cost of a training step over that of a forward pass, as measured


class Contrastive(Tuned):
    """The idea of SetFit (Tunstall et al. 2022) with sampled pairs: never all of them.

    The layers served lie between the pretrained ones and the mean of two tunings (`interpolated`,
    `engine.averaged_training`). The head knows the labels' names (`named_fit`).
    """

    name = "contrastive"
    defaults = (
        ("batch_texts", 64),
        ("texts_a_class", 2),
        ("learning_rate", 3e-4),
        ("temperature", 0.05),
        ("tuned", 0.5),
        ("members", 2),
        ("C", 10.0),
        ("names", 1.0),
    )
    settable = ()  # the rates and the texts a step are its own
    ranges = (
        ("steps", Range(20, 500, log=True)),
        ("batch_texts", Range(choices=(32, 64, 128))),
        ("learning_rate", Range.around(3e-4, 5.0)),
        ("temperature", Range(0.02, 0.2, log=True)),
        ("tuned", Range(0.2, 1.0)),
        ("C", Range(1.0, 100.0, log=True)),
    )

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder: the upper half."""
        found = []
        for name in bench.backbones:
            if bench.opened(name).backbone.family != "encoder":
                continue
            depth = self.depth(bench, name)
            bench.opened(name).trunk.expected.add(depth)
            settings = (("depth", depth), ("steps", usual_steps(len(bench.train))), *self.defaults)
            found.append(Candidate(self.name, name, settings))
        return found

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Where labels are few."""
        return self.standard(bench) if len(bench.train) <= _FEW * len(bench.labels) else []

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """From the measured forward pass, the share of layers trained, and the texts seen."""
        opened = bench.opened(candidate.backbone)
        layers = opened.encoder.shape.layers
        share = (layers - candidate["depth"]) / layers
        forward = opened.forward_seconds() / max(1, len(bench.texts))
        in_a_batch = min(candidate["batch_texts"], len(bench.train))
        seen = _FORWARD_AND_BACKWARD * candidate["steps"] * in_a_batch * candidate["members"]
        names = label_seconds(bench, candidate.backbone)
        return float(forward * (share * seen + len(bench.train) + len(bench.texts)) + names + 0.2)

    def objective(self, candidate: Candidate, bench: Workbench) -> Objective:
        """The contrastive loss of a batch."""
        return Contrast(candidate["temperature"])

    def schedule(self, candidate: Candidate, bench: Workbench) -> Schedule:
        """One batch an epoch."""
        return Schedule(
            depth=candidate["depth"],
            epochs=candidate["steps"],
            batch_texts=candidate["batch_texts"],
            learning_rate=candidate["learning_rate"],
            seed=bench.seed,
        )

    def start(self, candidate: Candidate, bench: Workbench) -> ContrastiveAttempt:
        """Prepare the activations below the lowest trained layer.

        Raises:
            AdaptError: PF405 where no label has two training rows.
        """
        counts = np.bincount(bench.train_targets, minlength=len(bench.labels))
        if counts.max() < 2:
            raise AdaptError(
                "PF405",
                f"recipe '{self.name}'",
                "no label has two training rows, so that there is nothing to bring together",
                expected="two rows or more of some labels",
                mend="Use prototypes, which need one row a label or none.",
            )
        return ContrastiveAttempt(self, candidate, bench)


def usual_steps(n_train: int) -> int:
    """Batches of 64 for six passes, between 30 and 250."""
    return int(np.clip(round(6 * n_train / 64), 30, 250))


@dataclass
class ContrastiveAttempt(TuneAttempt):
    """The trainings of one candidate; the head is fitted anew wherever they pause."""

    head: LinearHead | None = field(default=None)

    @cached_property
    def training(self) -> AveragedTraining:  # type: ignore[override]  # used alike
        """All members as one training, from the pretrained encoder."""
        return AveragedTraining(self._member, self.candidate["members"])

    def _member(self, number: int) -> ContrastiveTuning:
        bench, opened = self.bench, self.bench.opened(self.candidate.backbone)
        opened.trunk.prepare((self.candidate["depth"],))
        n_labels = len(bench.labels)
        nothing = np.zeros((n_labels, opened.encoder.shape.width), np.float32)
        seeded = replace(bench, seed=member_seed(bench.seed, number))
        training = ContrastiveTuning(
            self._classifier(nothing, nothing[:, 0]),
            opened.trunk,
            bench.targets,
            rows=bench.train,
            schedule=self.recipe.schedule(self.candidate, seeded),
            objective=self.recipe.objective(self.candidate, bench),
            progress=bench.progress,
            texts_a_class=self.candidate["texts_a_class"],
        )
        needed = training.training_bytes()
        check_memory(self.candidate.name, needed, available_bytes())
        return training

    def advance(self, share: float) -> None:
        """Train up to ``share`` of the steps, then fit the head on the vectors to be served."""
        self.training.advance(share)
        self.head = self._fitted_head()

    def served(self) -> Classifier:
        """The mean of the members, on the way to it, with the fitted head."""
        found = super().served()
        if self.head is not None:
            with torch.no_grad():
                found.head.weight.copy_(torch.from_numpy(self.head.weight))
                found.head.bias.copy_(torch.from_numpy(self.head.bias))
        return found

    def state(self) -> Mapping[str, Any]:
        """What `save` writes; the classifier with the fitted head."""
        state = dict(self.training.state())
        if self.head is not None:
            weight, bias = map(torch.from_numpy, (self.head.weight, self.head.bias))
            state["classifier"] = state["classifier"] | {"head.weight": weight, "head.bias": bias}
        return state

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        state = torch.load(folder / "training.pt", weights_only=True)
        self.training.resume(state)
        trained = state["classifier"]
        self.head = LinearHead(trained["head.weight"].numpy(), trained["head.bias"].numpy())

    def _fitted_head(self) -> LinearHead:
        bench, candidate = self.bench, self.candidate
        strength, names = candidate["C"], candidate["names"]
        fit = named_fit(bench, candidate.backbone, strength=strength, names=names)
        tuned = classifier_vectors(super().served(), self.training.trunk, bench.train)
        return fit(tuned, bench.train_targets)
