"""``payoff plan``: the plans of the last run of a project, once more."""

from __future__ import annotations

import json
from pathlib import Path

import click

from payoff.cli.plans import show_plans
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@with_terminal
def command(terminal: Terminal, *, path: Path) -> None:
    """Show what the newest run in PATH (a project, or one run's folder) compared and chose."""
    summaries = sorted(
        [*path.glob("summary.json"), *path.glob("runs/*/summary.json")],
        key=lambda file: file.stat().st_mtime,
    )
    if not summaries:
        raise ProjectError(
            "PF291", str(path), "no finished run is there", mend="Run: payoff run " + str(path)
        )
    summary = json.loads(summaries[-1].read_text("utf-8"))

    def people() -> None:
        show_plans(terminal, summary)
        terminal.line()
        terminal.line(summary["decision"]["sentence"], style="bold")
        terminal.line(f"report    {summaries[-1].with_name('report.html')}")

    terminal.show(summary, people)
