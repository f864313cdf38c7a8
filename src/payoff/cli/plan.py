"""``payoff plan``: the plans of the last run of a project, once more, also under other terms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from payoff.cli.labels import show_labels, texts_without_labels
from payoff.cli.plans import show_accounts, show_plans, show_scenarios, show_what_if
from payoff.cli.source import PROJECT_FILE
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Reckon again with this in place of what payoff.toml said; repeatable.",
)
@click.option("--scenarios", "beside", is_flag=True, help="Build, buy, people, nothing or wait.")
@click.option(
    "--wait",
    "delays",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="MONTHS",
    help="With --scenarios: start that much later; repeatable. Default: 3.",
)
@click.option("--labels", is_flag=True, help="What more labels are worth, and how many to buy.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    help="With --labels: texts without labels, to say which to label first.",
)
@click.option("--text", "column", metavar="COLUMN", help="With --texts: column of the texts.")
@click.option(
    "--count", type=click.IntRange(min=1), help="With --texts: how many; else as many as to buy."
)
@click.option(
    "--write", "chosen", type=click.Path(path_type=Path), help="With --texts: where the CSV goes."
)
@with_terminal
def command(
    terminal: Terminal,
    *,
    path: Path,
    assignments: tuple[str, ...],
    beside: bool,
    delays: tuple[int, ...],
    labels: bool,
    texts: Path | None,
    column: str | None,
    count: int | None,
    chosen: Path | None,
) -> None:
    """Show what the newest run in PATH (a project, or one run's folder) compared and chose.

    With --set traffic.per_month=100000 it is reckoned again from what the run measured, under the
    changed terms, beside what it was; nothing is trained. With --scenarios the chosen model is
    compared with what can be done without it, and with starting later. With --labels it says what
    the next label is worth, how many to buy and, of texts without labels, which to label first.
    """
    for name, stated in (
        ("--texts", texts),
        ("--text", column),
        ("--count", count),
        ("--write", chosen),
    ):
        if stated is not None and not labels:
            raise ProjectError("PF290", name, "it goes with --labels", mend="Add: --labels")
    if delays and not beside:
        raise ProjectError("PF290", "--wait", "it goes with --scenarios", mend="Add: --scenarios")
    if beside and labels:
        raise ProjectError("PF290", "--scenarios", "--labels asks something else", mend="Give one.")
    if column is not None and texts is None:
        raise ProjectError("PF290", "--text", "it goes with --texts", mend="Add: --texts FILE")
    folder = _newest(path)
    if labels:
        given = texts_without_labels(path, texts, column)
        for name, stated in (("--count", count), ("--write", chosen)):
            if stated is not None and given is None:
                raise ProjectError(
                    "PF290",
                    name,
                    "there are no texts without labels to choose from",
                    mend="Add: --texts FILE, or name them in payoff.toml: [data] unlabelled.",
                )
        _labels(terminal, folder, assignments, given, count=count, chosen=chosen)
        return
    if beside:
        _scenarios(terminal, folder, assignments, delays or None)
        return
    if assignments:
        _what_if(terminal, folder, assignments)
        return
    from payoff.plan.what_if import read_summary

    summary = read_summary(folder)

    def people() -> None:
        show_plans(terminal, summary)
        terminal.line()
        terminal.line(summary["decision"]["sentence"], style="bold")
        show_accounts(terminal, summary["accounts"], summary["currency"])
        terminal.line(f"report    {folder / 'report.html'}")

    terminal.show(summary, people)


def _newest(path: Path) -> Path:
    """The folder of the newest finished run."""
    path = path.parent if path.name == PROJECT_FILE else path
    summaries = sorted(
        [*path.glob("summary.json"), *path.glob("runs/*/summary.json")],
        key=lambda file: file.stat().st_mtime,
    )
    if not summaries:
        raise ProjectError(
            "PF291", str(path), "no finished run is there", mend="Run: payoff run " + str(path)
        )
    return summaries[-1].parent


def _what_if(terminal: Terminal, folder: Path, assignments: tuple[str, ...]) -> None:
    from payoff.plan.what_if import what_if

    told = what_if(folder, assignments)
    content = told.as_dict()
    terminal.show(content, lambda: show_what_if(terminal, content))


def _scenarios(
    terminal: Terminal, folder: Path, assignments: tuple[str, ...], delays: tuple[int, ...] | None
) -> None:
    from payoff.plan.what_if import standing

    stands = standing(folder, assignments)
    content = stands.scenarios(delays).as_dict() | {
        "changes": list(assignments),
        "findings": [finding.as_dict() for finding in stands.findings],
    }
    terminal.show(content, lambda: show_scenarios(terminal, content))


def _labels(
    terminal: Terminal,
    folder: Path,
    assignments: tuple[str, ...],
    given: Sequence[str] | None,
    *,
    count: int | None,
    chosen: Path | None,
) -> None:
    from payoff.plan.labels.label_question import LabelQuestion

    question = LabelQuestion.of(folder, assignments)
    content = question.answer.as_dict() | {"changes": list(assignments), "first": None}
    if given is not None:
        first = question.texts(given, count=count, progress=terminal)
        content["first"] = first.as_dict()
        if chosen is not None:
            first.write(chosen)
    terminal.show(content, lambda: show_labels(terminal, content, chosen))
