"""Finding entities by one recipe: train, measure, export; no money and no choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.recipe import Attempt, Candidate
from payoff.adapt.tag_bench import TagBench
from payoff.artifact.runtime.entities import EntityRuntime
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.core.extras import require
from payoff.core.findings import Finding
from payoff.core.progress import Progress, Silent
from payoff.data.annotated_split import AnnotatedSplit, split_annotated
from payoff.data.annotations import Annotated
from payoff.evidence.entities import EntityQuality, measure_entities
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.machine import Machine, this_machine
from payoff.learn.meter import Meter
from payoff.plan.ladder import rung
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.prepared import suited_backbones
from payoff.plan.runs import Run
from payoff.plan.tuning.dictionary_lookup import DictionaryLookup
from payoff.plan.tuning.training import trained
from payoff.plan.tuning.tune import candidate_of

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class EntityTrial:
    """One candidate that finds entities, trained and measured as it is served.

    Args:
        candidate: Recipe, backbone and settings.
        labels: Kinds of entities.
        spec: The exported tier, see `payoff.artifact.runtime.entities.EntityRuntime`.
        folder: Where its files are.
        validation: On validation texts.
        test: On test texts; None where it was not asked for.
        baseline: Of a dictionary of what training texts name, on the same texts as the one of the
            two that was measured last.
        latency: Of the tier on this machine.
        footprint: Bytes of the tier.
        training_s: Seconds of the training, those before a kill included.
        machine: Where all of this was measured.
        findings: What was left out of the texts, and why.
        n_train: Texts that were trained on.
        trained_share: Trained weights over all weights, 0–1; None where only a head is fitted.
    """

    candidate: Candidate
    labels: tuple[str, ...]
    spec: TierSpec
    folder: Path
    validation: EntityQuality
    test: EntityQuality | None
    baseline: EntityQuality
    latency: Latency
    footprint: Footprint
    training_s: float
    machine: Machine
    findings: tuple[Finding, ...]
    n_train: int
    trained_share: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "task": "entities",
            "recipe": self.candidate.recipe,
            "backbone": self.candidate.backbone,
            "settings": dict(self.candidate.settings),
            "labels": list(self.labels),
            "n_train": self.n_train,
            "trained_share": self.trained_share,
            "tier": str(self.folder),
            "validation": self.validation.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "baseline": self.baseline.as_dict(),
            "latency": self.latency.as_dict(),
            "footprint": self.footprint.as_dict(),
            "training_s": self.training_s,
            "machine": self.machine.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def tune_entities(
    annotated: Annotated,
    recipe: str,
    *,
    backbone: str = "",
    settings: Mapping[str, Any] | None = None,
    test: Annotated | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> EntityTrial:
    """Train one recipe to find entities and measure it.

    Args:
        annotated: Texts with their entities.
        recipe: ``frozen-head``, ``fine-tune`` or one of the parameter-efficient ones.
        backbone: Which pretrained encoder; the one that suits the texts' script where empty.
        settings: The recipe's own settings, where the usual ones are not wanted.
        test: Texts to report on; cut from ``annotated`` where not given.
        report: Measure on the test texts too. Choose by validation first.
        seed: Seed of everything random.
        runs: Folder of runs; a killed training goes on where it stopped.
        progress: Who listens.
        meter: Books what is used and holds the budget; no books are kept where not given.

    Raises:
        DataError: PF104 or PF106 where the texts cannot be learnt from.
        AdaptError: PF401 for an unknown recipe; PF405 for one that cannot find entities, or not
            with this backbone; PF406 for a setting that it does not have; PF402 where training
            fails.
        EconomicsError: PF620 before the budget would be exceeded.
        MachineError: PF803 where the extra ``tune`` is not installed.

    Example:
        >>> trial = tune_entities(Annotated.read("orders.jsonl"), "fine-tune")  # doctest: +SKIP
        >>> trial.validation.strict.f1  # doctest: +SKIP
        0.94
    """
    require("torch", "tune", "training")
    from payoff.adapt.recipes.tagging import Tagging

    listener = progress or Silent()
    plain = recipe_named(recipe)
    tagging = Tagging(plain)
    share = float(np.clip(0.15, 200 / max(len(annotated), 1), 0.3))
    cut = split_annotated(annotated, test_set=test, validation=share, seed=seed)
    backbones = (backbone,) if backbone else suited_backbones(cut.train.texts)[:1]
    learning = learning_inputs(annotated, test, seed, backbones) | {"task": "entities"}
    run = Run.open(Path(runs), "entities", learning=learning, choosing={"recipe": recipe})
    bench = _bench(cut, backbones, run, seed=seed, progress=listener)
    run = replace(run, meter=meter)
    candidate = tagging.suited(candidate_of(plain, bench, settings or {}))
    listener.say(f"{candidate.name}: about {tagging.seconds(candidate, bench):.0f} s")
    attempt, seconds = trained(tagging, candidate, bench, run)
    place = run.tier(candidate.key)
    spec = tagging.export(candidate, bench, run.attempt(rung(candidate, 1.0)), place)
    trial = _measured(candidate, spec, place, attempt, cut=cut, report=report, seconds=seconds)
    run.tidy()
    if meter is not None:
        meter.book(f"measuring {candidate.name}")
    return trial


def _bench(
    cut: AnnotatedSplit, backbones: tuple[str, ...], run: Run, *, seed: int, progress: Progress
) -> TagBench:
    n_train, n = len(cut.train), len(cut.train) + len(cut.validation)
    return TagBench(
        texts=cut.train.texts + cut.validation.texts,
        targets=np.zeros(n, dtype=np.int64),
        labels=tuple(sorted({*cut.train.labels, *cut.validation.labels})),
        train=np.arange(n_train),
        validation=np.arange(n_train, n),
        backbones=backbones,
        folder=run.activations,
        seed=seed,
        progress=progress,
        spans=cut.train.spans + cut.validation.spans,
    )


def _measured(
    candidate: Candidate,
    spec: TierSpec,
    folder: Path,
    attempt: Attempt,
    *,
    cut: AnnotatedSplit,
    report: bool,
    seconds: float,
) -> EntityTrial:
    """Quality, speed and size of the exported tier."""
    from payoff.adapt.recipes.tagging import TagAttempt  # imports torch

    runtime = EntityRuntime.open(spec, lambda name: (folder / name).read_bytes())
    lookup = DictionaryLookup(cut.train)

    def quality(part: Annotated, finder: EntityRuntime | DictionaryLookup) -> EntityQuality:
        return measure_entities(finder.entities(part.texts), part.spans)

    share = None
    if isinstance(attempt, TagAttempt):
        share = attempt.training.classifier.trained_share()
    return EntityTrial(
        candidate,
        runtime.labels,
        spec,
        folder,
        validation=quality(cut.validation, runtime),
        test=quality(cut.test, runtime) if report else None,
        baseline=quality(cut.test if report else cut.validation, lookup),
        latency=measure_latency(runtime.entities, cut.validation.texts, threads=physical_cores()),
        footprint=Footprint(sum((folder / name).stat().st_size for name in spec.members)),
        training_s=seconds,
        machine=this_machine(),
        findings=cut.findings,
        n_train=len(cut.train),
        trained_share=share,
    )
