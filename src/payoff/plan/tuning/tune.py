"""Tuning by one recipe: train, measure, export; no money and no choice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.engine.adaptations.settings import check_positive
from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.recipes.searched import optional_settings, with_settings
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import Runtime
from payoff.artifact.runtime.endpoint import EndpointRuntime
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, DataError, did_you_mean
from payoff.core.extras import require
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.data.later import came_later, one_after_the_other
from payoff.data.splits import split
from payoff.evidence.calibration import cross_fitted, fit_temperature
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.machine import this_machine
from payoff.learn.meter import Meter
from payoff.plan.asking import allow, booked, latency_of_answers, opened, texts_to_ask
from payoff.plan.ladder import rung
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.parts import Parts, parts_of, validation_share
from payoff.plan.prepared import (
    bench_of,
    checked_descriptions,
    suited_backbones,
)
from payoff.plan.runs import Run
from payoff.plan.trackers.tracking import ended, keep_evidence
from payoff.plan.tuning.training import trained

_STRENGTH = "C"
"""Inverse of a head's penalty, by this name in every recipe; no library takes 0 or less."""


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
        forgotten: What learning later rows cost on each label that was known before: its accuracy
            on validation rows before, less that after; None where nothing came later.
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
    forgotten: Mapping[str, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "recipe": self.candidate.recipe,
            "backbone": self.candidate.backbone or None,
            "settings": dict(self.candidate.settings),
            "n_labels": len(self.labels),
            "n_train": self.n_train,
            "trained_share": self.trained_share,
            "forgotten": None if self.forgotten is None else dict(self.forgotten),
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
    earlier: Dataset | None = None,
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    processes: int = 1,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> Trial:
    """Train one recipe on one backbone and measure it.

    Rows are cut as `search` cuts them, and what either has trained the other finds again.

    Args:
        dataset: Labelled rows.
        recipe: Name of the recipe.
        backbone: Which pretrained model; the one that suits the texts' script where empty.
        settings: The recipe's own settings, where the usual ones are not wanted.
        test: Rows to report on; cut from ``dataset`` where not given.
        earlier: Rows that were there before those of ``dataset``, for the recipe ``continual``;
            to all others they are rows like any.
        unlabelled: More texts of the same kind, for recipes that learn from those too.
        descriptions: Label to what it means, for recipes that start from words.
        report: Measure on the test rows too. Choose by validation first: every look at the test
            rows makes their figure a little less true.
        seed: Seed of everything random.
        runs: Folder of runs; a killed training goes on where it stopped.
        processes: How many share each step of the training; the result is the same but for
            rounding. For machines with more cores than one process makes use of.
        progress: Who listens.
        meter: Books what is used and holds the budget; no books are kept where not given.

    Raises:
        DataError: PF104 or PF106 where the rows cannot be learnt from, or reported on.
        AdaptError: PF401 for an unknown recipe; PF405 where it does not fit the data or the
            backbone; PF406 for a setting that it does not have; PF402 where training fails;
            PF410 where one of several processes is gone.
        EconomicsError: PF620 before the budget would be exceeded; PF629 where it cannot be held,
            since an endpoint's tokens have no price.
        MachineError: PF803 where the extra ``tune`` is not installed; PF811 to PF817 where an
            endpoint is asked; see `payoff.artifact.runtime.endpoint_client`.

    Example:
        >>> trial = tune(tickets, "lora", backbone="minilm-l6")  # doctest: +SKIP
        >>> trial.evidence.quality.accuracy  # doctest: +SKIP
        0.931
    """
    require("torch", "tune", "training")
    listener = progress or Silent()
    chosen = recipe_named(recipe)
    parts, run, bench = prepared(
        dataset,
        recipe,
        backbone=backbone,
        test=test,
        earlier=earlier,
        unlabelled=unlabelled,
        descriptions=descriptions,
        seed=seed,
        runs=runs,
        progress=listener,
    )
    if report and not parts.test_texts:
        raise DataError(
            "PF106",
            (test or dataset).source,
            "none of its test rows has a label that training has",
            expected=f"labels among {', '.join(map(repr, parts.labels[:10]))}",
            mend="Check that its label column is the right one.",
        )
    run = replace(run, meter=meter)
    candidate = candidate_of(chosen, bench, settings or {})
    listener.say(f"{candidate.name}: about {chosen.seconds(candidate, bench):.0f} s")
    asked = texts_to_ask(chosen, bench, parts.test_texts) if report else []
    attempt, seconds = trained(chosen, candidate, bench, run, processes=processes, texts=asked)
    place = run.tier(candidate.key)
    spec = chosen.export(candidate, bench, run.attempt(rung(candidate, 1.0)), place)
    runtime = opened(spec, place, run=run, recipe=chosen, candidate=candidate, bench=bench)
    if asked:
        allow(run, chosen, candidate, bench, 0.0, texts=asked)
    with booked(run, chosen, candidate, bench, asked) if asked else nullcontext():
        trial = _measured(
            candidate,
            bench,
            spec,
            place,
            runtime=runtime,
            parts=parts,
            report=report,
            seconds=seconds,
        )
    note = run.folder / "evidence" / f"{candidate.key}.json"
    keep_evidence(listener, candidate, trial.evidence, note)
    ended(listener, candidate, "finished")
    run.tidy()
    if meter is not None:
        meter.book(f"measuring {candidate.name}")
    from payoff.adapt.recipes.continual import ContinualAttempt  # imports torch, as does the next
    from payoff.adapt.recipes.tuned import TuneAttempt

    if isinstance(attempt, TuneAttempt):
        trial = replace(trial, trained_share=attempt.training.classifier.trained_share())
    if isinstance(attempt, ContinualAttempt) and (lost := attempt.forgotten()) is not None:
        named = {parts.labels[label]: fell for label, fell in lost.by_class.items()}
        trial = replace(trial, forgotten=named)
    return trial


def prepared(
    dataset: Dataset,
    recipe: str,
    *,
    backbone: str,
    test: Dataset | None,
    unlabelled: Sequence[str],
    descriptions: Mapping[str, str] | None,
    seed: int,
    runs: Path | str,
    progress: Progress,
    earlier: Dataset | None = None,
    verb: str = "tune",
) -> tuple[Parts, Run, Workbench]:
    """The rows cut, the run's folders, and a workbench over the rows to learn from."""
    if earlier is not None:
        dataset = one_after_the_other(earlier, dataset)
    cut = split(dataset, test_set=test, seed=seed, validation=validation_share(dataset, test))
    parts = parts_of(cut)
    backbones = (backbone,) if backbone else suited_backbones(parts.train_texts)
    told = checked_descriptions(descriptions or {}, parts.labels)
    learning = learning_inputs(
        dataset, test, seed, backbones, unlabelled=unlabelled, descriptions=told
    )
    later = came_later(cut.train)
    if len(later):
        learning["later"] = hashlib.sha256(later.tobytes()).hexdigest()
    run = Run.open(Path(runs), verb, learning=learning, choosing={"recipe": recipe})
    bench = bench_of(parts, backbones, run, seed=seed, progress=progress)
    bench = replace(bench, unlabelled=tuple(unlabelled), descriptions=told, later=later)
    return parts, run, bench


def candidate_of(recipe: Recipe, bench: Workbench, settings: Mapping[str, Any]) -> Candidate:
    """The recipe's usual candidate with some settings changed."""
    usual = recipe.standard(bench)
    if not usual:
        raise AdaptError(
            "PF405",
            f"recipe '{recipe.name}' on {', '.join(bench.backbones)}",
            "it cannot use these backbones or these data",
            expected=(needed := getattr(recipe, "needs", "")),
            mend="Give it what it needs; docs/recipes.md says more."
            if needed
            else "Name another backbone, or give texts without labels: docs/recipes.md says what "
            "each recipe needs.",
        )
    known = dict(usual[0].settings) | optional_settings(recipe, usual[0], bench)
    wanted = {}
    for name, value in settings.items():
        if name not in known:
            raise AdaptError(
                "PF406",
                f"recipe '{recipe.name}'",
                f"it has no setting '{name}'",
                expected=", ".join(known) or "no setting at all",
                mend=did_you_mean(name, list(known)),
            )
        wanted[name] = _like(known[name], value, f"{recipe.name}, setting '{name}'")
    if _STRENGTH in wanted:
        check_positive(**{_STRENGTH: wanted[_STRENGTH]})
    return with_settings(recipe, usual[0], bench, wanted)


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


def _measured(
    candidate: Candidate,
    bench: Workbench,
    spec: TierSpec,
    folder: Path,
    *,
    runtime: Runtime,
    parts: Parts,
    report: bool,
    seconds: float,
) -> Trial:
    """Quality, speed and size of the exported tier."""
    texts = [bench.texts[row] for row in bench.validation]
    truth = bench.targets[bench.validation]
    logits = runtime.logits(texts)
    calibration = fit_temperature(logits, truth)
    measured: dict[str, Any] = {
        "latency": _latency(runtime, texts),
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


def _latency(runtime: Runtime, texts: Sequence[str]) -> Latency:
    """Measured; of an endpoint, from what its answers took when they were paid for."""
    if isinstance(runtime, EndpointRuntime):
        return latency_of_answers(runtime, texts)
    return measure_latency(runtime.logits, texts, threads=physical_cores())
