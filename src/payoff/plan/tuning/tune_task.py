"""Tuning for a task that is not one class a text: train, measure, export; no money, no choice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.needs import need_task
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.tasks import task_named
from payoff.adapt.tasks.task import Figures, Task
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.task_model import write_spec
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.extras import require
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.machine import Machine, this_machine
from payoff.learn.meter import Meter
from payoff.plan.ladder import rung
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.prepared import suited_backbones
from payoff.plan.runs import Run
from payoff.plan.tuning.task_parts import TaskParts, target_cells, task_parts
from payoff.plan.tuning.training import trained
from payoff.plan.tuning.tune import candidate_of


@dataclass(frozen=True, slots=True)
class Measured:
    """A model and one that reads no text, on the same rows.

    Args:
        quality: Of the exported model.
        baseline: Of always saying what the training targets alone tell.
    """

    quality: Figures
    baseline: Figures

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"quality": self.quality.as_dict(), "baseline": self.baseline.as_dict()}


@dataclass(frozen=True, slots=True)
class TaskTrial:
    """One candidate, trained for a task and measured.

    Args:
        task: As decided on validation rows.
        candidate: Recipe, backbone and settings.
        labels: Names of the outputs.
        spec: The exported tier; its settings say the task.
        folder: Where its files are; `payoff.artifact.task_model.TaskModel` opens it.
        validation: On validation rows; where something is decided by rows, cross-fitted.
        report: On test rows; None where it was not asked for.
        latency: Seconds an answer, on ``machine``.
        footprint: Bytes on disk.
        training_s: Seconds of training, on ``machine``.
        machine: Where seconds were measured.
        n_train: Rows that were trained on.
        trained_share: Trained weights over all weights, 0–1; None where only a head is fitted.
    """

    task: Task
    candidate: Candidate
    labels: tuple[str, ...]
    spec: TierSpec
    folder: Path
    validation: Measured
    report: Measured | None
    latency: Latency
    footprint: Footprint
    training_s: float
    machine: Machine
    n_train: int
    trained_share: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "task": dict(self.task.settings(self.labels)),
            "recipe": self.candidate.recipe,
            "backbone": self.candidate.backbone or None,
            "settings": dict(self.candidate.settings),
            "n_train": self.n_train,
            "trained_share": self.trained_share,
            "tier": str(self.folder),
            "validation": self.validation.as_dict(),
            "test": self.report.as_dict() if self.report else None,
            "latency": self.latency.as_dict(),
            "footprint": self.footprint.as_dict(),
            "training_s": self.training_s,
            "machine": self.machine.as_dict(),
        }


def tune_task(
    dataset: Dataset,
    recipe: str,
    task: str,
    *,
    target: str = "",
    order: Sequence[str] = (),
    backbone: str = "",
    settings: Mapping[str, Any] | None = None,
    test: Dataset | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> TaskTrial:
    """Train one recipe for a task and measure it, beside a model that reads no text.

    Args:
        dataset: The rows.
        recipe: Name of the recipe.
        task: ``"multi-label"``, ``"ordinal"`` or ``"regression"``; for one class a text there is
            `payoff.plan.tuning.tune.tune`.
        target: Column of what is to be learnt; the data set's labels where empty. A data set
            without labels may have empty cells there, which are no label for ``multi-label``.
        order: Grades from the lowest to the highest, for ``ordinal``.
        backbone: Which pretrained model; the one that suits the texts' script where empty.
        settings: The recipe's own settings, where the usual ones are not wanted.
        test: Rows to report on; cut from ``dataset`` where not given.
        report: Measure on the test rows too, once you have chosen by validation.
        seed: Seed of everything random.
        runs: Folder of runs; a killed training goes on where it stopped.
        progress: Who listens.
        meter: Books what is used and holds the budget; no books are kept where not given.

    Raises:
        DataError: PF103 where the column is missing; PF104, PF106 or PF114 where the rows cannot
            be learnt from.
        AdaptError: PF401 for an unknown recipe, PF407 for an unknown task; PF405 where the recipe
            does not fit the task or the backbone; PF406 for a setting that it does not have;
            PF402 where training fails.
        EconomicsError: PF620 before the budget would be exceeded.
        MachineError: PF803 where the extra ``tune`` is not installed.

    Example:
        >>> trial = tune_task(tickets, "lora", "multi-label")  # doctest: +SKIP
        >>> trial.validation.quality.micro_f1  # doctest: +SKIP
        0.871
    """
    require("torch", "tune", "training")
    listener = progress or Silent()
    wanted, chosen = _wanted(task, order), recipe_named(recipe)
    need_task(chosen, task, recipes())
    parts = task_parts(dataset, wanted, target=target, test=test, seed=seed)
    backbones = (backbone,) if backbone else suited_backbones(parts.texts[: parts.n_train])
    learning = learning_inputs(dataset, test, seed, backbones) | {
        "task": task,
        "order": list(order),
        "targets": _digest([target_cells(d, target) for d in (dataset, test) if d is not None]),
    }
    run = Run.open(Path(runs), "tune", learning=learning, choosing={"recipe": recipe})
    bench = Workbench(
        texts=parts.texts,
        targets=parts.targets,
        labels=parts.labels,
        train=parts.train,
        validation=parts.validation,
        backbones=backbones,
        folder=run.activations,
        seed=seed,
        progress=listener,
        task=parts.task,
    )
    run = replace(run, meter=meter)
    candidate = candidate_of(chosen, bench, settings or {})
    listener.say(f"{candidate.name}: about {chosen.seconds(candidate, bench):.0f} s")
    attempt, seconds = trained(chosen, candidate, bench, run)
    place = run.tier(candidate.key)
    spec = chosen.export(candidate, bench, run.attempt(rung(candidate, 1.0)), place)
    trial = _measured(candidate, bench, spec, place, parts=parts, report=report, seconds=seconds)
    write_spec(trial.spec, place)
    run.tidy()
    if meter is not None:
        meter.book(f"measuring {candidate.name}")
    from payoff.adapt.recipes.tuned import TuneAttempt  # imports torch

    if isinstance(attempt, TuneAttempt):
        return replace(trial, trained_share=attempt.training.classifier.trained_share())
    return trial


def _wanted(name: str, order: Sequence[str]) -> Task:
    task = task_named(name, order=order)
    if name == "classes":
        raise AdaptError(
            "PF407",
            "task 'classes'",
            "one class a text is tuned without naming a task",
            mend="Leave the task out: payoff.plan.tuning.tune.tune, or no --task.",
        )
    return task


def _digest(columns: list[list[str]]) -> str:
    digest = hashlib.sha256()
    for cells in columns:
        digest.update(f"{len(cells)}\n".encode())
        for cell in cells:
            digest.update(f"{len(cell.encode())}\n{cell}".encode())
    return digest.hexdigest()


def _measured(
    candidate: Candidate,
    bench: Workbench,
    spec: TierSpec,
    folder: Path,
    *,
    parts: TaskParts,
    report: bool,
    seconds: float,
) -> TaskTrial:
    """Quality, speed and size of the exported tier."""
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes(), n_labels=len(parts.labels))
    texts = [bench.texts[row] for row in bench.validation]
    truth = bench.targets[bench.validation]
    outputs = runtime.logits(texts)
    nothing = _nothing(bench, len(texts))
    decided = bench.task.decided(outputs, truth)
    on_test = None
    if report:
        blind = bench.task.decided(nothing, truth)
        on_test = Measured(
            decided.measure(runtime.logits(parts.test_texts), parts.test_targets),
            blind.measure(_nothing(bench, len(parts.test_texts)), parts.test_targets),
        )
    return TaskTrial(
        decided,
        candidate,
        parts.labels,
        replace(spec, settings={**spec.settings, "task": decided.settings(parts.labels)}),
        folder,
        Measured(
            bench.task.cross_measure(outputs, truth, seed=bench.seed),
            bench.task.cross_measure(nothing, truth, seed=bench.seed),
        ),
        on_test,
        latency=measure_latency(runtime.logits, texts, threads=physical_cores()),
        footprint=Footprint(sum((folder / name).stat().st_size for name in spec.members)),
        training_s=seconds,
        machine=this_machine(),
        n_train=len(bench.train),
        trained_share=None,
    )


def _nothing(bench: Workbench, n_rows: int) -> NDArray[np.float64]:
    """Outputs of a model that reads no text, ``(n_rows, n_outputs)``."""
    return bench.task.nothing(bench.train_targets, n_rows, n_outputs=len(bench.labels))
