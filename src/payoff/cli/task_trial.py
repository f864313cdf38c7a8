"""What ``payoff tune --task`` does and shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.cli.source import Source
from payoff.cli.terminal import Terminal
from payoff.core.errors import ProjectError

if TYPE_CHECKING:
    from payoff.plan.tuning.tune_task import TaskTrial

_FIGURES = {
    "multi-label": ("micro_f1", "macro_f1", "mean_average_precision", "exact_match", "log_loss"),
    "ordinal": ("mae_grades", "quadratic_kappa", "accuracy", "within_one", "spearman"),
    "regression": ("mae", "rmse", "r2", "spearman"),
}
"""What people see of each task; ``--json`` has all of them."""


def tune_for_task(
    terminal: Terminal,
    source: Source,
    recipe: str,
    *,
    task: str,
    order: str,
    test: Path | None,
    **options: Any,
) -> TaskTrial:
    """Train for a task as the command line says.

    Raises:
        ProjectError: PF290 where an order is given without a task.
    """
    from payoff.adapt.tasks import task_named
    from payoff.plan.tuning.tune_task import tune_task

    if not task:
        raise ProjectError(
            "PF290", "--order", "it is for a task, and none is named", mend="Add: --task ordinal"
        )
    grades = tuple(grade.strip() for grade in order.split(",")) if order else ()
    task_named(task, order=grades)  # told before any file is read
    dataset, target = source.target_rows()
    return tune_task(
        dataset,
        recipe,
        task,
        target=target,
        order=grades,
        test=source.target_test_rows(test),
        progress=terminal,
        **options,
    )


def show_task(terminal: Terminal, trial: TaskTrial) -> None:
    """A table of figures, the model beside one that reads no text, and where the files are."""
    figures = _FIGURES[trial.task.name]
    columns = ("rows", "n", *(name.replace("_", " ") for name in figures))
    rows = []
    for name, judged in (("validation", trial.validation), ("test", trial.report)):
        if judged is not None:
            for who, quality in ((name, judged.quality), ("  reads no text", judged.baseline)):
                shown = quality.as_dict()
                cells = (_shown(shown[figure]) for figure in figures)
                rows.append((who, f"{quality.n:,}", *cells))
    terminal.line(f"{trial.candidate.name}, {trial.task.name}", style="bold")
    terminal.table(columns, rows, right=columns[1:])
    share = "" if trial.trained_share is None else f"{trial.trained_share:.2%} of the weights, "
    seconds = f"{trial.training_s:.1f} s on this machine"
    terminal.line(f"trained   {share}{trial.n_train:,} rows, {seconds}")
    terminal.line(
        f"served    {trial.latency.p50_ms:.1f} ms (p95 {trial.latency.p95_ms:.1f}), "
        f"{trial.latency.texts_per_s:,.0f} texts/s in batches, "
        f"{trial.footprint.artifact_bytes / 1e6:.1f} MB"
    )
    terminal.line(f"files     {trial.folder}")
    if trial.report is None:
        terminal.line("The test rows were not looked at; --report measures on them.")


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:,.3f}"
