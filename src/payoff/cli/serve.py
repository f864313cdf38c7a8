"""``payoff serve``: artifacts behind HTTP, every decision in a journal before its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from payoff.cli.ranges import Finite
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError


@click.command()
@click.argument(
    "artifacts", metavar="ARTIFACT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    envvar="PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--journal",
    metavar="FILE|URL",
    help="Where decisions are written: an SQLite file, or a database URL. "
    "[default: NAME.journal.db beside each artifact]",
)
@click.option("--no-journal", is_flag=True, help="Keep no journal of the decisions.")
@click.option(
    "--budget",
    metavar="AMOUNT",
    type=Finite(min=0),
    help="Most that may be spent in a month, in place of the project's [budget] per_month.",
)
@click.option(
    "--threads",
    default=0,
    help="Threads of one batch of texts; batches share the cores. [default: 1]",
)
@click.option(
    "--keep-texts",
    type=click.Choice(["none", "redacted", "whole"]),
    default="none",
    show_default=True,
    help="What the journal keeps of the texts, for people to review and to learn from.",
)
@click.option(
    "--rate",
    metavar="N",
    type=Finite(min=0, min_open=True),
    help="Requests a second that each key may send.  [default: as many as it likes]",
)
@click.option(
    "--open",
    "open_to_all",
    is_flag=True,
    help="Listen beyond this machine without keys, where something in front lets nobody else in.",
)
@click.option(
    "--audit-share",
    metavar="SHARE",
    type=Finite(min=0, max=1, max_open=True),
    help="Share of the review queue that is drawn by chance, 0 for none, in place of the project's "
    "[review] audit_share. [default: 0.2]",
)
@click.option("--dashboard", is_flag=True, help="Serve pages for people too, at /dashboard.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    artifacts: tuple[Path, ...],
    host: str,
    port: int,
    journal: str | None,
    no_journal: bool,
    budget: float | None,
    threads: int,
    keep_texts: Literal["none", "redacted", "whole"],
    rate: float | None,
    open_to_all: bool,
    audit_share: float | None,
    dashboard: bool,
) -> None:
    """Serve each ARTIFACT over HTTP until stopped; requests under way are finished.

    The first one decides where a request names no "model"; /v1/models lists all. Models that were
    tuned with --set merged=0 on one backbone share it in memory. An artifact with the name of an
    earlier one is a further version of it: `payoff compare` shares customers out between them.

    While it runs, the version decides that its journal says is released (`payoff versions`). SIGHUP
    has the artifacts read again from their files; what changed is released.

    Where the month's budget is spent it is not begun (PF630). A service that runs goes on
    answering: what the budget does not hold is told (PF631), and no endpoint is asked beyond it.
    """
    if no_journal and budget is not None:
        raise ProjectError(
            "PF290",
            "--budget",
            "--no-journal is given too, and nothing would tell what is spent",
            expected="one of the two",
        )
    if no_journal and journal is not None:
        raise ProjectError(
            "PF290", "--no-journal", "--journal is given too", expected="one of the two"
        )
    if no_journal and audit_share is not None:
        raise ProjectError(
            "PF290", "--audit-share", "--no-journal is given too", expected="one of the two"
        )
    from payoff.serve.run import run

    def book(artifact: Path) -> str | None:
        return None if no_journal else journal or str(artifact.with_suffix(".journal.db"))

    (first, written), *more = [(artifact, book(artifact)) for artifact in artifacts]
    books = [one for one in dict.fromkeys([written, *(other for _, other in more)]) if one]
    terminal.say(
        f"Decisions are written to {', '.join(books)}." if books else "No journal is kept."
    )
    run(
        first,
        host=host,
        port=port,
        journal=written,
        threads=threads,
        progress=terminal,
        more=more,
        budget_per_month=budget,
        texts=keep_texts,
        per_second=rate,
        open_to_all=open_to_all,
        dashboard=dashboard,
        audit_share=audit_share,
    )
    served = [
        {"artifact": str(artifact), "journal": one} for artifact, one in [(first, written), *more]
    ]
    document = served[0] | ({"more": served[1:]} if more else {})
    terminal.show(document, lambda: terminal.line("Stopped."))
