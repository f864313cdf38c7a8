"""``payoff compress``: the form of a model that earns most, from the whole one to a few MB."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.job import Asked, artifact_place, job_of, job_options
from payoff.cli.ranges import Finite
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.plan.compressing.compress import Compressed
    from payoff.plan.job import Job

_COLUMNS = (
    "model",
    "made smaller by",
    "MB",
    "p50 ms",
    "texts/s",
    "memory MB",
    "start s",
    "points lost",
    "profit a month",
    "",
)
_MB = 1e6
_POSITIVE = Finite(min=0, min_open=True)


@click.command()
@job_options
@click.option(
    "--recipe", default="", help="How the model is adapted; as the last run if not given."
)
@click.option(
    "--most-lost",
    type=Finite(min=0),
    metavar="POINTS",
    help="Points of accuracy that may be lost, on validation rows.",
)
@click.option("--largest", type=_POSITIVE, metavar="MB", help="Megabytes of the artifact at most.")
@click.option(
    "--slowest", type=_POSITIVE, metavar="MS", help="Half of single answers within so long, here."
)
@click.option(
    "--students/--no-students",
    default=True,
    show_default=True,
    help="Train smaller models too, which the model teaches.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where the artifact goes.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Any,
    asked: Asked,
    recipe: str,
    most_lost: float | None,
    largest: float | None,
    slowest: float | None,
    students: bool,
    out: Path | None,
) -> None:
    """Make the model smaller and faster as far as that pays, and write its artifact and report.

    PATH is a project folder with a payoff.toml, or a data file with --text and --label. What a run
    of the same rows trained is taken up. Every form is measured on validation rows; the one that
    earns most on its host is taken, and told on test rows.
    """
    from payoff.plan.compressing.compress import compress
    from payoff.plan.compressing.limits import Limits

    limits = Limits(most_lost=most_lost, largest_mb=largest, slowest_ms=slowest)
    with job_of(source, asked, terminal) as job:
        place = artifact_place(job, out, "-small")
        found = compress(job, recipe or _usual(job), limits=limits, students=students)
    artifact = found.plan.save(place)
    content = found.as_dict() | {"artifact": str(artifact), "report": str(found.plan.report)}
    terminal.show(content, lambda: _show(terminal, found, artifact))


def _usual(job: Job) -> str:
    """The recipe of the last run's choice; where none is finished, what suits so many rows."""
    from payoff.adapt.recipes.usual import usual_recipe
    from payoff.plan.compressing.last_choice import last_choice

    rows, labels = len(job.dataset), len(job.dataset.labels)
    return last_choice(job.runs, job.name) or usual_recipe(rows, labels)


def _show(terminal: Terminal, found: Compressed, artifact: Path) -> None:
    told = found.plan.summary["compression"]
    unit = found.plan.summary["currency"]
    terminal.table(_COLUMNS, [_row(form, unit) for form in told["forms"]], right=_COLUMNS[2:9])
    for one in told["refused"]:
        terminal.line(f"  {one['name']}: {one['why']}")
    terminal.line(found.sentence, style="bold")
    terminal.line(f"artifact  {artifact}")
    terminal.line(f"report    {found.plan.report}")


def _row(form: Mapping[str, Any], unit: str) -> tuple[str, ...]:
    memory, start = form["memory_bytes"], form["start_s"]
    return (
        form["model"],
        "–" if form["way"] == "fp32" else form["way"],
        f"{form['size_bytes'] / _MB:.1f}",
        f"{form['p50_ms']:.2f}",
        f"{form['texts_per_s']:,.0f}",
        "?" if memory is None else f"{memory / _MB:.0f}",
        "?" if start is None else f"{start:.2f}",
        f"{form['lost']:+.2f}",
        format_money(form["profit"]["mean"], unit),
        form["status"],
    )
