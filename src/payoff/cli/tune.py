"""``payoff tune``: train one recipe on one backbone, and measure it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from payoff.cli.source import Source, source_options
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError

if TYPE_CHECKING:
    from payoff.evidence.evidence import Evidence
    from payoff.plan.tune import Trial


@click.command()
@source_options
@click.option("--recipe", required=True, help="How to adapt: lora, fine-tune, … (docs: recipes).")
@click.option("--backbone", default="", help="Pretrained model; by the texts' script if not given.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
@click.option("--test", type=click.Path(path_type=Path), help="Rows to report on, in a file apart.")
@click.option("--unlabelled", type=click.Path(path_type=Path), help="More texts, without labels.")
@click.option("--report", is_flag=True, help="Measure on the test rows too, once you have chosen.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    recipe: str,
    backbone: str,
    settings: tuple[str, ...],
    seed: int,
    test: Path | None,
    unlabelled: Path | None,
    report: bool,
) -> None:
    """Train one recipe on one backbone, and measure it on validation rows.

    PATH is a project folder with a payoff.toml, or a data file with --text and --label. `payoff
    run` finds the recipe that earns most; this verb tries a single one. A training that was
    stopped goes on where it was when the same command is given again.
    """
    from payoff.plan.tune import tune

    dataset = source.dataset()
    trial = tune(
        dataset,
        recipe,
        backbone=backbone,
        settings=dict(_pair(one) for one in settings),
        test=source.beside(test).dataset() if test else source.test_set(),
        unlabelled=source.texts_beside(unlabelled) if unlabelled else (),
        report=report,
        seed=seed,
        runs=(source.path if source.path.is_dir() else source.path.parent) / "runs"
        if source.is_project
        else Path("runs"),
        progress=terminal,
    )
    terminal.show(trial.as_dict(), lambda: _show(terminal, trial))


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
