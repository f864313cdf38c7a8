"""``payoff feedback``: tell a journal what came out of its decisions."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ServiceError


@click.command()
@click.argument("path", metavar="TABLE", type=click.Path(path_type=Path))
@click.option("--journal", metavar="FILE|URL", required=True, help="The service's journal.")
@with_terminal
def command(terminal: Terminal, *, path: Path, journal: str) -> None:
    """Take feedback from TABLE: CSV, Parquet, JSON lines or Excel.

    Its columns are request_id, and one of label (what the request truly was), correct (yes or no)
    and worth (what it earned); source, person, seconds, feedback_id and time_utc where they are
    known. All rows are read before the first is written; the same table taken twice counts once.
    Requests that have no decision yet are told, and count as soon as they have.
    """
    from payoff.apps.columns import reader_of
    from payoff.learn.feedback import take
    from payoff.learn.feedback_rows import COLUMNS, feedback_rows, in_blocks
    from payoff.learn.journal import Journal

    frame = reader_of(path)(path).frame
    if "request_id" not in frame.columns:
        raise ServiceError(
            "PF716",
            str(path),
            f"its columns are {', '.join(frame.columns)[:200]}",
            expected="request_id, and label, correct or worth",
        )
    known = [name for name in COLUMNS if name in frame.columns]
    rows = [
        {name: None if cell is None else str(cell) for name, cell in row.items()}
        for row in frame.select(known).iter_rows(named=True)
    ]
    told = feedback_rows(rows, str(path))
    n_new = n_known = done = 0
    unknown: list[str] = []
    with Journal.open(journal) as book:
        for block in in_blocks(told):
            taken = take(book, block)
            n_new, n_known = n_new + taken.n_new, n_known + taken.n_known
            unknown += taken.unknown
            done += len(block)
            terminal.step("taking feedback", done, len(told))

    def people() -> None:
        terminal.line(f"{n_new:,} new, {n_known:,} known already.")
        if unknown:
            terminal.line(
                f"{len(unknown):,} requests have no decision in {journal}, the first is"
                f" '{unknown[0]}': what was told of them is kept."
            )

    terminal.show({"n_new": n_new, "n_known": n_known, "unknown": unknown}, people)
