"""``payoff inspect``: what is wrong with the data, before money is spent on it."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.cli.findings import show_findings
from payoff.cli.source import Source, say_notes, source_options
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.findings import count_by_status


@click.command()
@source_options
@click.option(
    "--test",
    "test_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A test file with the same columns: look for what it shares with the data.",
)
@click.option("--label-noise", is_flag=True, help="Look for rows whose label looks wrong (slower).")
@click.option("--strict", is_flag=True, help="Exit with 1 where a check failed.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    test_path: Path | None,
    label_noise: bool,
    strict: bool,
) -> int:
    """Check the data: duplicates, leaks, wrong or rare labels, personal data, unusable texts.

    PATH is a project folder, or a data file with --text COLUMN --label COLUMN.
    """
    from payoff.data.inspection import inspect

    dataset, test = source.dataset(), source.test_set()
    if test_path is not None:
        test = source.beside(test_path).dataset()
    say_notes(terminal, dataset, test)
    terminal.say(f"Checking {len(dataset):,} rows of {dataset.source} …")
    findings = inspect(dataset, test_set=test, label_noise=label_noise)
    content = {
        "source": dataset.source,
        "n_rows": len(dataset),
        "counts": count_by_status(findings),
        "findings": [finding.as_dict() for finding in findings],
    }
    terminal.show(content, lambda: show_findings(terminal, findings))
    return 1 if strict and any(finding.failed for finding in findings) else 0
