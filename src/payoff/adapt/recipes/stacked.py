"""Stacking: several recipes answer, and a few weights learnt on rows apart mix their answers.

Wolpert 1992, "Stacked Generalization": each member answers for training rows that it was not
trained on, fold by fold, and the mix is fitted on those answers. Members are then trained on all
rows. The mix has one weight a member and one bias a label, fitted by logistic regression on
calibrated log-probabilities and shrunk towards equal weights and no bias, so that few rows do not
make it worse than an equal say of all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.recipes.told import all_told, with_settings
from payoff.adapt.recipes.usual import MANY_ROWS, usual_recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.stacked import (
    MEMBER_KINDS,
    STACK,
    Blend,
    log_probabilities,
    member_file,
)
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.extras import require
from payoff.core.files import whole_folder, write_json
from payoff.evidence.calibration import fit_temperature

_USUAL = ("bag-of-words", "static-head", "frozen-head")
_OF_MANY_ROWS = "fine-tune[depth={half}]+bag-of-words"  # all layers were no better
_WEIGHT_SPREAD, _BIAS_SPREAD = 0.5, 0.25  # standard deviations that the shrinkage supposes

Member = tuple[Recipe, Candidate]


class Stacked:
    """Members are other recipes: ``--set members=lora+bag-of-words``.

    They have their usual settings, but for those named in brackets:
    ``fine-tune[depth=3,tuned=1]+bag-of-words``.
    """

    name = "stacked"
    rungs = (1.0,)

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """With many rows a label, the upper half fine-tuned and bags of words.

        Measured by ``benchmarks/published.py``; docs/recipes.md has the figures.
        """
        if usual_recipe(len(bench.train), len(bench.labels)) != MANY_ROWS:
            return []
        found = []
        for name in bench.backbones:
            opened = bench.opened(name)
            if opened.backbone.family == "encoder":
                members = _OF_MANY_ROWS.format(half=opened.encoder.shape.layers // 2)
                settings = (("members", members), ("folds", 2))
                title = f"{self.name} {name} {members}"
                found.append(Candidate(self.name, name, settings, last=True, title=title))
        return found

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One an encoder, of the cheap recipes that can use these backbones."""
        encoders = [n for n in bench.backbones if bench.opened(n).backbone.family == "encoder"]
        able = [name for name in _USUAL if recipe_named(name).standard(bench)]
        settings = (("members", "+".join(able)), ("folds", 5))
        return [Candidate(self.name, name, settings) for name in encoders or [""] if len(able) > 1]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Each member on all rows and on all but each fold; texts are encoded but once."""
        total = 0.2
        for recipe, member in self.members(candidate, bench):
            seconds, passes = recipe.seconds(member, bench), 0.0
            if member.backbone and bench.opened(member.backbone).backbone.family == "encoder":
                opened = bench.opened(member.backbone)
                passes = 0.0 if opened.trunk.is_prepared() else opened.forward_seconds()
            passes = min(passes, seconds)
            total += passes + candidate["folds"] * (seconds - passes)
        return total

    def start(self, candidate: Candidate, bench: Workbench) -> StackedAttempt:
        """Find the members.

        Raises:
            AdaptError: PF401 for an unknown member; PF405 for one that cannot use these data or
                backbones; PF406 where there are fewer than two of them or two folds, or one twice,
                or for a setting that a member does not have.
        """
        if candidate["folds"] < 2:
            raise AdaptError("PF406", "setting 'folds'", f"{candidate['folds']}", expected="2, 3 …")
        return StackedAttempt(candidate, bench, self.members(candidate, bench))

    def members(self, candidate: Candidate, bench: Workbench) -> list[Member]:
        """The recipes that are stacked, each with its usual candidate or with what was changed.

        Raises:
            AdaptError: As `start` says.
        """
        members = all_told(candidate["members"])
        names = [name for name, _ in filter(None, members)]
        if len(set(names)) != len(members) or len(members) < 2 or self.name in names:
            raise AdaptError(
                "PF406",
                "setting 'members'",
                repr(candidate["members"]),
                expected="two or more recipes, each once, with + between them",
            )
        return [self._member(*member, candidate, bench) for member in filter(None, members)]

    def _member(self, name: str, changed: str, candidate: Candidate, bench: Workbench) -> Member:
        recipe = recipe_named(name)
        usual = recipe.standard(bench)
        if not usual:
            raise AdaptError(
                "PF405",
                f"recipe 'stacked', member '{name}'",
                f"it cannot use {', '.join(bench.backbones) or 'no backbone'} or these data",
                mend="Name other members, or another backbone.",
            )
        found = next((c for c in usual if c.backbone == candidate.backbone), usual[0])
        return recipe, with_settings(found, changed, where="recipe 'stacked', member")

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The files of all members and ``stack.json`` in one folder.

        Raises:
            AdaptError: PF405 where a member is of a kind that cannot be stacked.
        """
        specs = []
        with whole_folder(target) as draft:
            for number, (recipe, member) in enumerate(self.members(candidate, bench)):
                own = draft / "member"
                spec = recipe.export(member, bench, saved / str(number), own)
                if spec.kind not in MEMBER_KINDS:
                    raise AdaptError(
                        "PF405",
                        f"recipe 'stacked', member '{recipe.name}'",
                        f"its tier is of the kind '{spec.kind}'",
                        expected=" or ".join(MEMBER_KINDS),
                    )
                for path in own.iterdir():
                    path.rename(draft / member_file(number, path.name))
                own.rmdir()
                specs.append(spec)
            members = [
                {"name": s.name, "kind": s.kind, "settings": dict(s.settings)} for s in specs
            ]
            blend = _read_blend(saved)
            write_json(draft / STACK, {"members": members, **blend.as_dict()})
        files = [member_file(n, name) for n, spec in enumerate(specs) for name in spec.members]
        return TierSpec(candidate.name, "stacked", (STACK, *files))


@dataclass
class StackedAttempt:
    """The training of all members: one step, no pauses.

    Args:
        candidate: Which.
        bench: The rows.
        members: Recipes and their candidates.
    """

    candidate: Candidate
    bench: Workbench
    members: Sequence[Member]
    blend: Blend | None = field(default=None)
    attempts: list[Attempt] = field(default_factory=list)

    def advance(self, share: float) -> None:
        """Answers on rows apart, the mix, and the members on all rows; at any share."""
        if self.blend is not None:
            return
        bench = self.bench
        fold = folds(bench.train_targets, self.candidate["folds"], seed=bench.seed)
        apart = [self._apart(recipe, member, fold) for recipe, member in self.members]
        judged = fold >= 0
        self.blend = fit_blend(
            [logits[judged] for logits in apart],
            bench.train_targets[judged],
            n_labels=len(bench.labels),
        )
        self.attempts = [recipe.start(member, bench) for recipe, member in self.members]
        for attempt in self.attempts:
            attempt.advance(1.0)

    def _apart(
        self, recipe: Recipe, member: Candidate, fold: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Logits of each training row by a member that was not trained on it; 0 in no fold."""
        bench = self.bench
        found = np.zeros((len(bench.train), len(bench.labels)), np.float32)
        for number in np.unique(fold[fold >= 0]):
            out = fold == number
            attempt = recipe.start(member, replace(bench, train=bench.train[~out]))
            attempt.advance(1.0)
            found[out] = attempt.logits(bench.train[out])
        return found

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.blend is not None
        return self.blend([attempt.logits(rows) for attempt in self.attempts])

    def save(self, folder: Path) -> None:
        """Write each member in a folder of its own, and the mix."""
        assert self.blend is not None
        for number, attempt in enumerate(self.attempts):
            (folder / str(number)).mkdir()
            attempt.save(folder / str(number))
        write_json(folder / "blend.json", self.blend.as_dict())

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote."""
        self.attempts = [recipe.start(member, self.bench) for recipe, member in self.members]
        for number, attempt in enumerate(self.attempts):
            attempt.restore(folder / str(number))
        self.blend = _read_blend(folder)


def fit_blend(
    logits: Sequence[NDArray[Any]], targets: NDArray[np.int64], *, n_labels: int
) -> Blend:
    """Temperatures, weights and biases with the lowest penalised log loss.

    The penalties are those of normal priors: weights about an equal share, with a standard
    deviation of 0.5, and biases about 0, with one of 0.25. No weight is below 0.

    Args:
        logits: Of each member on rows that it was not trained on, ``(n, n_labels)`` each.
        targets: Their classes, ``(n,)``; without any row all have an equal say.
        n_labels: How many classes.

    Example:
        >>> truth = np.array([0, 1] * 20)
        >>> mostly_right, silent = 4 * np.eye(2)[[1, 0, *truth[2:]]], np.zeros((40, 2))
        >>> blend = fit_blend([mostly_right, silent], truth, n_labels=2)
        >>> [round(weight, 1) for weight in blend.weights]
        [0.9, 0.5]
    """
    n_members = len(logits)
    equal = np.full(n_members, 1.0 / n_members)
    if not len(targets):
        return Blend((1.0,) * n_members, tuple(equal.tolist()), (0.0,) * n_labels)
    temperatures = [fit_temperature(one, targets).temperature for one in logits]
    logs = np.stack([log_probabilities(*pair) for pair in zip(logits, temperatures, strict=True)])
    each = np.arange(len(targets))

    def loss_and_slope(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = values[:n_members], values[n_members:]
        mixed = np.tensordot(weights, logs, axes=1) + bias
        mixed -= mixed.max(axis=1, keepdims=True)
        mixed -= np.log(np.exp(mixed).sum(axis=1, keepdims=True))
        error = np.exp(mixed)
        error[each, targets] -= 1.0
        away = weights - equal
        penalty = (away**2).sum() / _WEIGHT_SPREAD**2 + (bias**2).sum() / _BIAS_SPREAD**2
        slope_of_weights = np.tensordot(logs, error, axes=2) + away / _WEIGHT_SPREAD**2
        slope_of_bias = error.sum(axis=0) + bias / _BIAS_SPREAD**2
        value = float(penalty / 2 - mixed[each, targets].sum())
        return value, np.concatenate([slope_of_weights, slope_of_bias])

    optimise = require("scipy.optimize", "tune", "stacking")
    found = optimise.minimize(
        loss_and_slope,
        np.concatenate([equal, np.zeros(n_labels)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * n_members + [(None, None)] * n_labels,
    ).x
    weights, bias = found[:n_members].tolist(), found[n_members:].tolist()
    return Blend(tuple(temperatures), tuple(weights), tuple(bias))


def _read_blend(folder: Path) -> Blend:
    return Blend.from_dict(json.loads((folder / "blend.json").read_text("utf-8")))
