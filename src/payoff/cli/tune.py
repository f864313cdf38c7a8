"""``payoff tune``: train one recipe on one backbone, and measure it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.answer_trial import show_answers, tune_for_answers
from payoff.cli.books import metered_source
from payoff.cli.dry_run import show_dry_run
from payoff.cli.entity_trial import show_entities, tune_for_entities
from payoff.cli.ranges import SEED, Finite
from payoff.cli.source import Source, say_notes, source_options
from payoff.cli.sweep_table import show_sweep
from payoff.cli.task_trial import show_task, tune_for_task
from payoff.cli.terminal import Terminal, with_terminal
from payoff.cli.tracking import told, track_option, tracked
from payoff.core.errors import ProjectError

if TYPE_CHECKING:
    from payoff.evidence.evidence import Evidence
    from payoff.plan.tuning.tune import Trial

_USUAL = {"answers": "lora"}
"""The recipe of a task where none is named and it is not fine-tuning."""


@click.command()
@source_options
@click.option(
    "--recipe", default="", help="How to adapt; what suits so many rows a label if not given."
)
@click.option("--backbone", default="", help="Pretrained model; by the texts' script if not given.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
@click.option("--trials", type=click.IntRange(1), help="Look for better settings: so many trials.")
@click.option(
    "--minutes",
    type=Finite(min=0, min_open=True),
    help="Look for better settings: so long (10 where only --trials is given).",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of everything random.")
@click.option("--test", type=click.Path(path_type=Path), help="Rows to report on, in a file apart.")
@click.option("--earlier", type=click.Path(path_type=Path), help="Rows learnt before (continual).")
@click.option("--unlabelled", type=click.Path(path_type=Path), help="More texts, without labels.")
@click.option("--descriptions", type=click.Path(path_type=Path), help="What labels mean (a table).")
@click.option(
    "--processes", type=click.IntRange(1), default=1, help="Processes that share every step."
)
@click.option(
    "--task",
    default="",
    help="Not one class a text: multi-label, ordinal, regression, entities or answers.",
)
@click.option("--order", default="", metavar="LOW,…,HIGH", help="Grades of the task ordinal.")
@click.option("--dry-run", is_flag=True, help="Only price the job (recipe api); send nothing.")
@track_option
@click.option("--report", is_flag=True, help="Measure on the test rows too, once you have chosen.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    recipe: str,
    backbone: str,
    settings: tuple[str, ...],
    trials: int | None,
    minutes: float | None,
    seed: int,
    test: Path | None,
    earlier: Path | None,
    unlabelled: Path | None,
    descriptions: Path | None,
    processes: int,
    task: str,
    order: str,
    dry_run: bool,
    track: str,
    report: bool,
) -> None:
    """Train one recipe on one backbone, and measure it on validation rows.

    PATH is a project folder with a payoff.toml, or a data file with --text and --label. `payoff
    run` finds the recipe that earns most; this verb tries a single one: the one named, or the one
    that was best elsewhere with as many rows a label. A training that was stopped goes on where
    it was when the same command is given again.

    With --trials or --minutes it looks for better settings than the usual ones, and leaves those
    only where the validation rows tell the difference; --set keeps a setting as it is given.

    With --dry-run and the recipe api it says what asking would cost, and asks nothing.
    """
    from payoff.adapt.recipes.usual import usual_recipe
    from payoff.plan.tuning.sweep import sweep
    from payoff.plan.tuning.tune import tune

    sought: dict[str, Any] = {
        k: v for k, v in (("trials", trials), ("minutes", minutes)) if v is not None
    }
    if task or order:
        needless = {
            "--earlier": earlier,
            "--unlabelled": unlabelled,
            "--descriptions": descriptions,
            "--processes": processes > 1,
            "--trials": trials,
            "--minutes": minutes,
            "--track": track,
            "--dry-run": dry_run,
        }
        _refuse(f"--task {task}", [option for option, given in needless.items() if given])
        _tune_for(
            terminal,
            source,
            recipe or _USUAL.get(task, "fine-tune"),
            task=task,
            order=order,
            test=test,
            backbone=backbone,
            settings=dict(_pair(one) for one in settings),
            report=report,
            seed=seed,
            runs=_runs(source),
        )
        return
    dataset = source.dataset()
    recipe = recipe or usual_recipe(len(dataset), len(dataset.labels))
    if sought:
        needless = {"--earlier": earlier, "--processes": processes > 1}
        _refuse("--trials or --minutes", [option for option, given in needless.items() if given])
    how: dict[str, Any] = {
        "backbone": backbone,
        "settings": dict(_pair(one) for one in settings),
        "test": source.beside(test).dataset() if test else source.test_set(),
        "unlabelled": source.texts_beside(unlabelled) if unlabelled else source.unlabelled(),
        "descriptions": source.descriptions_beside(descriptions)
        if descriptions
        else source.descriptions(),
        "report": report,
        "seed": seed,
        "runs": _runs(source),
    }
    say_notes(terminal, dataset, how["test"])
    if dry_run:
        needless = {"--earlier": earlier, "--trials": trials, "--minutes": minutes}
        _refuse("--dry-run", [option for option, given in needless.items() if given])
        with metered_source(source, terminal) as meter:
            show_dry_run(terminal, dataset, recipe, meter=meter, **how)
        return
    with tracked(terminal, track, _runs(source), dataset) as listener:
        if not sought:
            before = source.beside(earlier).dataset() if earlier else None
            how |= {"earlier": before, "processes": processes}
            with metered_source(source, terminal) as meter:
                trial = tune(dataset, recipe, progress=listener, meter=meter, **how)
        else:
            with metered_source(source, terminal) as meter:
                found = sweep(dataset, recipe, progress=listener, meter=meter, **sought, **how)
    if not sought:
        terminal.show(trial.as_dict() | told(listener), lambda: _show(terminal, trial))
        return

    def people() -> None:
        show_sweep(terminal, found)
        _show(terminal, found.best)

    terminal.show(found.as_dict() | told(listener), people)


def _tune_for(
    terminal: Terminal, source: Source, recipe: str, *, task: str, order: str, **options: Any
) -> None:
    """Train for another task than one class a text, and show what came of it."""
    ways: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
        "entities": (tune_for_entities, show_entities),
        "answers": (tune_for_answers, show_answers),
    }
    train, show = ways.get(task, (tune_for_task, show_task))
    if task not in ways:
        options |= {"task": task, "order": order}
    elif order:
        _refuse(f"--task {task}", ["--order"])
    with metered_source(source, terminal) as meter:
        trial = train(terminal, source, recipe, meter=meter, **options)
    terminal.show(trial.as_dict(), lambda: show(terminal, trial))


def _runs(source: Source) -> Path:
    """Where runs are kept: in the project's folder, else here."""
    if not source.is_project:
        return Path("runs")
    return (source.path if source.path.is_dir() else source.path.parent) / "runs"


def _refuse(where: str, options: list[str]) -> None:
    if options:
        raise ProjectError(
            "PF290",
            where,
            f"{' and '.join(options)} cannot be used with it",
            mend="Leave the option out.",
        )


def _pair(setting: str) -> tuple[str, str]:
    name, sign, value = setting.partition("=")
    if not sign or not name or not value:
        raise ProjectError("PF290", f"--set {setting}", "it names no value", expected="NAME=VALUE")
    return name, value


def _show(terminal: Terminal, trial: Trial) -> None:
    rows = [_row("validation", trial.evidence)]
    if trial.report is not None:
        rows.append(_row("test", trial.report))
    columns = ("rows", "n", "accuracy", "macro-F1", "log loss", "ECE")
    terminal.line(trial.candidate.name, style="bold")
    terminal.table(columns, rows, right=columns[1:])
    latency, size = trial.evidence.latency, trial.evidence.footprint
    assert latency is not None
    assert size is not None
    share = "" if trial.trained_share is None else f"{trial.trained_share:.2%} of the weights, "
    seconds = f"{trial.evidence.training_s:.1f} s on this machine"
    terminal.line(f"trained   {share}{trial.n_train:,} rows, {seconds}")
    terminal.line(
        f"served    {latency.p50_ms:.1f} ms (p95 {latency.p95_ms:.1f}), "
        f"{latency.texts_per_s:,.0f} texts/s in batches, {size.artifact_bytes / 1e6:.1f} MB"
    )
    terminal.line(f"files     {trial.folder}")
    if trial.forgotten is not None:
        worst = max(trial.forgotten, key=trial.forgotten.__getitem__)
        mean = sum(trial.forgotten.values()) / len(trial.forgotten)
        terminal.line(
            f"forgotten {mean:.1%} of what it knew, on average over {len(trial.forgotten)} labels; "
            f"most of {worst}, {trial.forgotten[worst]:.1%}"
        )
    if trial.report is None:
        terminal.line("The test rows were not looked at; --report measures on them.")


def _row(rows: str, evidence: Evidence) -> tuple[str, ...]:
    quality = evidence.quality
    return (
        rows,
        f"{quality.n:,}",
        f"{quality.accuracy:.1%}",
        f"{quality.macro_f1:.1%}",
        f"{quality.log_loss:.3f}",
        f"{evidence.ece:.3f}",
    )
