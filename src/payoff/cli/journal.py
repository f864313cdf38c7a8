"""``payoff journal``: keep a service's journal safe, small and private."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.cli.books import existing_journal
from payoff.cli.ranges import Finite
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError, ServiceError

_where = click.argument("where", metavar="JOURNAL")


@click.group()
def command() -> None:
    """Back up, restore, export and forget what a journal keeps.

    JOURNAL is an SQLite file or a database URL. All of it works while a service writes.
    """


@command.command("backup")
@_where
@click.argument("path", metavar="FILE.zip", type=click.Path(path_type=Path))
@with_terminal
def backup(terminal: Terminal, *, where: str, path: Path) -> None:
    """Write all of JOURNAL, as it is at one moment, to FILE.zip."""
    from payoff.learn.backup import back_up
    from payoff.learn.journal import Journal

    with Journal.open(existing_journal(where)) as journal:
        made = back_up(journal, path)

    def people() -> None:
        terminal.line(f"{made.n_rows:,} rows of {made.made_utc[:19]} are in {path}.")

    terminal.show({"path": str(path), "made_utc": made.made_utc, "rows": made.rows}, people)


@command.command("restore")
@click.argument("path", metavar="FILE.zip", type=click.Path(path_type=Path, exists=False))
@_where
@with_terminal
def restore(terminal: Terminal, *, path: Path, where: str) -> None:
    """Bring FILE.zip back into JOURNAL, a new file or an empty database.

    So a journal also moves from SQLite to PostgreSQL.
    """
    from payoff.learn.backup import restore as bring_back
    from payoff.learn.journal import Journal

    if not path.is_file():
        raise ServiceError("PF725", str(path), "there is no such file", mend="Check the path.")
    with Journal.open(where) as journal:
        made = bring_back(path, journal)

    def people() -> None:
        terminal.line(f"{made.n_rows:,} rows of {made.made_utc[:19]} are back.")

    terminal.show({"made_utc": made.made_utc, "rows": made.rows}, people)


@command.command("export")
@_where
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@with_terminal
def export(terminal: Terminal, *, where: str, folder: Path) -> None:
    """Write decisions, feedback and costs to FOLDER as Parquet, for notebooks and warehouses."""
    from payoff.learn.journal import Journal
    from payoff.learn.parquet import write_parquet

    with Journal.open(existing_journal(where)) as journal:
        rows = write_parquet(journal, folder)

    def people() -> None:
        for name, n in rows.items():
            terminal.line(f"{folder / name}.parquet: {n:,} rows")

    terminal.show({"folder": str(folder), "rows": rows}, people)


@command.command("forget")
@_where
@click.option("--customer", help="Forget who this customer is and what they wrote.")
@click.option(
    "--texts-older-than",
    "texts_days",
    metavar="DAYS",
    type=Finite(min=0),
    help="Forget the texts of decisions that are older.",
)
@click.option(
    "--older-than",
    "decisions_days",
    metavar="DAYS",
    type=Finite(min=0),
    help="Forget older decisions, with their texts and feedback.",
)
@with_terminal
def forget(
    terminal: Terminal,
    *,
    where: str,
    customer: str | None,
    texts_days: float | None,
    decisions_days: float | None,
) -> None:
    """Forget one customer on request, or what is older than it has to be kept."""
    if customer is None and texts_days is None and decisions_days is None:
        raise ProjectError(
            "PF290",
            "payoff journal forget",
            "it is not said what to forget",
            expected="--customer, --texts-older-than or --older-than",
        )
    if customer == "":
        raise ProjectError("PF290", "--customer", "it is empty", expected="the customer's name")
    from payoff.learn.forgetting import forget_customer, forget_old
    from payoff.learn.journal import Journal

    with Journal.open(existing_journal(where)) as journal:
        done = [] if customer is None else [forget_customer(journal, customer)]
        if texts_days is not None or decisions_days is not None:
            old = forget_old(journal, texts_days=texts_days, decisions_days=decisions_days)
            done.append(old)
    content = {
        name: sum(getattr(one, name) for one in done)
        for name in ("n_decisions", "n_texts", "n_feedback")
    }

    def people() -> None:
        terminal.line(
            f"Forgotten: {content['n_decisions']:,} decisions, {content['n_texts']:,} texts,"
            f" {content['n_feedback']:,} entries of feedback."
        )

    terminal.show(content, people)
