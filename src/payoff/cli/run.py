"""``payoff run``: from labelled texts to the plan that earns most, with its report and artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.job import Asked, artifact_place, job_of, job_options
from payoff.cli.plans import show_accounts, show_plans
from payoff.cli.source import Source
from payoff.cli.terminal import Terminal, with_terminal
from payoff.cli.tracking import told, track_option

if TYPE_CHECKING:
    from payoff.plan.plan import Plan


@click.command()
@job_options
@click.option("--recipe", "recipes", multiple=True, help="Try only this recipe; may be repeated.")
@track_option
@click.option("--out", type=click.Path(path_type=Path), help="Where the artifact goes.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    asked: Asked,
    recipes: tuple[str, ...],
    track: str,
    out: Path | None,
) -> None:
    """Find the plan that earns most, and write its artifact and report.

    PATH is a project folder with a payoff.toml, or a data file with --text and --label. A run that
    was stopped goes on where it was when the same command is given again.
    """
    from payoff.plan.search import search_for

    with job_of(source, asked, terminal, track=track) as job:
        place = artifact_place(job, out)
        plan = search_for(job, only=recipes)
    artifact = plan.save(place)
    _tell(terminal, plan, artifact, told(job.progress))


def _tell(terminal: Terminal, plan: Plan, artifact: Path, more: dict[str, Any]) -> None:
    """Print what was found, and where it lies."""
    content = dict(plan.summary) | {"artifact": str(artifact), "report": str(plan.report)} | more

    def people() -> None:
        show_plans(terminal, plan.summary)
        terminal.line()
        terminal.line(plan.summary["decision"]["sentence"], style="bold")
        show_accounts(terminal, plan.summary["accounts"], plan.summary["currency"])
        terminal.line(f"artifact  {artifact}")
        terminal.line(f"report    {plan.report}")

    terminal.show(content, people)
