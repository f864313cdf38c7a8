"""``payoff serve``: an artifact behind HTTP, every decision in a journal before its answer."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--journal",
    metavar="FILE|URL",
    help="Where decisions are written: an SQLite file, or a database URL. "
    "[default: NAME.journal.db beside the artifact]",
)
@click.option("--no-journal", is_flag=True, help="Keep no journal of the decisions.")
@click.option("--threads", default=0, help="Threads of the model. [default: the physical cores]")
@with_terminal
def command(
    terminal: Terminal,
    *,
    artifact: Path,
    host: str,
    port: int,
    journal: str | None,
    no_journal: bool,
    threads: int,
) -> None:
    """Serve the artifact ARTIFACT over HTTP until stopped; requests under way are finished."""
    if no_journal and journal is not None:
        raise ProjectError(
            "PF290", "--no-journal", "--journal is given too", expected="one of the two"
        )
    from payoff.serve.run import run

    book = None if no_journal else journal or str(artifact.with_suffix(".journal.db"))
    terminal.say(f"Decisions are written to {book}." if book else "No journal is kept.")
    run(artifact, host=host, port=port, journal=book, threads=threads, progress=terminal)
    terminal.show({"artifact": str(artifact), "journal": book}, lambda: terminal.line("Stopped."))
