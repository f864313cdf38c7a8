"""Tuning by one recipe: train, measure, export; no money and no choice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, did_you_mean
from payoff.core.extras import require
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.data.splits import split
from payoff.evidence.calibration import cross_fitted, fit_temperature
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import measure_latency
from payoff.evidence.machine import this_machine
from payoff.plan.ladder import rung
from payoff.plan.parts import Parts, parts_of
from payoff.plan.runs import Run
from payoff.plan.search import learning_inputs, suited_backbones, validation_share


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate, trained and measured.

    Args:
        candidate: Recipe, backbone and settings.
        labels: Class names.
        spec: The exported tier.
        folder: Where its files are.
        calibration: Fitted on the validation rows.
        evidence: On validation rows, with cross-fitted calibration.
        report: On test rows; None where it was not asked for.
        n_train: Rows that were trained on.
        trained_share: Trained weights over all weights, 0–1; None where only a head is fitted.
    """

    candidate: Candidate
    labels: tuple[str, ...]
    spec: TierSpec
    folder: Path
    calibration: Calibration
    evidence: Evidence
    report: Evidence | None
    n_train: int
    trained_share: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "recipe": self.candidate.recipe,
            "backbone": self.candidate.backbone or None,
            "settings": dict(self.candidate.settings),
            "n_labels": len(self.labels),
            "n_train": self.n_train,
            "trained_share": self.trained_share,
            "tier": str(self.folder),
            "validation": self.evidence.as_dict(),
            "test": self.report.as_dict() if self.report else None,
        }


def tune(
    dataset: Dataset,
    recipe: str,
    *,
    backbone: str = "",
    settings: Mapping[str, Any] | None = None,
    test: Dataset | None = None,
    unlabelled: Sequence[str] = (),
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    progress: Progress | None = None,
) -> Trial:
    """Train one recipe on one backbone and measure it.

    Rows are cut as `search` cuts them, and what either has trained the other finds again.

    Args:
        dataset: Labelled rows.
        recipe: Name of the recipe.
        backbone: Which pretrained model; the one that suits the texts' script where empty.
        settings: The recipe's own settings, where the usual ones are not wanted.
        test: Rows to report on; cut from ``dataset`` where not given.
        unlabelled: More texts of the same kind, for recipes that learn from those too.
        report: Measure on the test rows too. Choose by validation first: every look at the test
            rows makes their figure a little less true.
        seed: Seed of everything random.
        runs: Folder of runs; a killed training goes on where it stopped.
        progress: Who listens.

    Raises:
        DataError: PF104 or PF106 where the rows cannot be learnt from.
        AdaptError: PF401 for an unknown recipe; PF405 where it does not fit the data or the
            backbone; PF406 for a setting that it does not have; PF402 where training fails.
        MachineError: PF803 where the extra ``tune`` is not installed.

    Example:
        >>> trial = tune(tickets, "lora", backbone="minilm-l6")  # doctest: +SKIP
        >>> trial.evidence.quality.accuracy  # doctest: +SKIP
        0.931
    """
    require("torch", "tune", "training")
    listener = progress or Silent()
    chosen = recipe_named(recipe)
    cut = split(dataset, test_set=test, seed=seed, validation=validation_share(dataset, test))
    parts = parts_of(cut)
    backbones = (backbone,) if backbone else suited_backbones(parts.train_texts)
    learning = learning_inputs(dataset, test, seed, backbones)
    if unlabelled:
        learning["unlabelled"] = hashlib.sha256("\0".join(unlabelled).encode()).hexdigest()
    run = Run.open(Path(runs), "tune", learning=learning, choosing={"recipe": recipe})
    bench = replace(_bench(parts, backbones, run, seed, listener), unlabelled=tuple(unlabelled))
    candidate = _candidate(chosen, bench, settings or {})
    listener.say(f"{candidate.name}: about {chosen.seconds(candidate, bench):.0f} s")
    attempt, seconds = _trained(chosen, candidate, bench, run)
    place = run.tier(candidate.key)
    spec = chosen.export(candidate, bench, run.attempt(rung(candidate, 1.0)), place)
    trial = _measured(candidate, bench, spec, place, parts=parts, report=report, seconds=seconds)
    run.tidy()
    from payoff.adapt.recipes.tuned import TuneAttempt  # imports torch

    if isinstance(attempt, TuneAttempt):
        return replace(trial, trained_share=attempt.training.classifier.trained_share())
    return trial


def _bench(
    parts: Parts, backbones: tuple[str, ...], run: Run, seed: int, progress: Progress
) -> Workbench:
    return Workbench(
        texts=parts.learnt_texts,
        targets=parts.learnt_targets,
        labels=parts.labels,
        train=parts.train,
        validation=parts.validation,
        backbones=backbones,
        folder=run.activations,
        seed=seed,
        progress=progress,
    )


def _candidate(recipe: Recipe, bench: Workbench, settings: Mapping[str, Any]) -> Candidate:
    """The recipe's usual candidate with some settings changed."""
    usual = recipe.standard(bench)
    if not usual:
        raise AdaptError(
            "PF405",
            f"recipe '{recipe.name}' on {', '.join(bench.backbones)}",
            "it cannot use these backbones or these data",
            mend="Name another backbone, or give texts without labels: docs/recipes.md says what "
            "each recipe needs.",
        )
    known = dict(usual[0].settings)
    for name, value in settings.items():
        if name not in known:
            raise AdaptError(
                "PF406",
                f"recipe '{recipe.name}'",
                f"it has no setting '{name}'",
                expected=", ".join(known) or "no setting at all",
                mend=did_you_mean(name, list(known)),
            )
        known[name] = _like(known[name], value, f"{recipe.name}, setting '{name}'")
    return replace(usual[0], settings=tuple(known.items()))


def _like(usual: Any, given: Any, where: str) -> Any:
    """``given`` as the type of ``usual``, where it is one."""
    try:
        value = type(usual)(given)
    except (TypeError, ValueError) as error:
        raise AdaptError(
            "PF406", where, f"{given!r}", expected=f"a value like {usual!r}"
        ) from error
    if isinstance(value, float) and not np.isfinite(value):
        raise AdaptError("PF406", where, f"{given!r}", expected=f"a value like {usual!r}")
    return value


def _trained(
    recipe: Recipe, candidate: Candidate, bench: Workbench, run: Run
) -> tuple[Attempt, float]:
    """The whole training, kept at every rung; and its seconds, those of before included."""
    attempt = recipe.start(candidate, bench)
    seconds = 0.0
    for share in recipe.rungs:
        key = rung(candidate, share)
        kept = run.recorded(key)
        if kept is not None:
            attempt.restore(run.attempt(key))
            seconds = kept[0]["seconds"]
            continue
        begun = time.perf_counter()
        attempt.advance(share)
        logits = attempt.logits(bench.validation)
        seconds += time.perf_counter() - begun
        result = {"share": share, "seconds": seconds, "started_s": 0.0}
        run.record(key, result, logits, attempt.save)
    return attempt, seconds


def _measured(
    candidate: Candidate,
    bench: Workbench,
    spec: TierSpec,
    folder: Path,
    *,
    parts: Parts,
    report: bool,
    seconds: float,
) -> Trial:
    """Quality, speed and size of the exported tier."""
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes())
    texts = [bench.texts[row] for row in bench.validation]
    truth = bench.targets[bench.validation]
    logits = runtime.logits(texts)
    calibration = fit_temperature(logits, truth)
    measured: dict[str, Any] = {
        "latency": measure_latency(runtime.logits, texts, threads=physical_cores()),
        "footprint": Footprint(sum((folder / name).stat().st_size for name in spec.members)),
        "training_s": seconds,
        "machine": this_machine(),
    }
    evidence = Evidence.of(
        "validation",
        logits,
        truth,
        probabilities=cross_fitted(logits, truth, seed=bench.seed),
        **measured,
    )
    on_test = None
    if report:
        scores = runtime.logits(parts.test_texts)
        on_test = Evidence.of(
            "test",
            scores,
            parts.test_targets,
            probabilities=calibration.apply(scores),
            **measured,
        )
    return Trial(
        candidate,
        bench.labels,
        spec,
        folder,
        calibration,
        evidence,
        on_test,
        n_train=len(bench.train),
        trained_share=None,
    )
