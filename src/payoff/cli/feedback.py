"""``payoff feedback``: tell a journal what came out of its decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from payoff.cli.books import existing_journal, meant_model
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import DataError, ProjectError, ServiceError

if TYPE_CHECKING:
    from payoff.learn.feedback import Feedback


@click.command()
@click.argument("path", metavar="[TABLE]", type=click.Path(path_type=Path), required=False)
@click.option("--journal", metavar="FILE|URL", required=True, help="The service's journal.")
@click.option("--label-studio", is_flag=True, help="TABLE is a JSON export of Label Studio.")
@click.option(
    "--waiting",
    type=click.Path(path_type=Path),
    metavar="OUT.json",
    help="Write the requests that wait for a label, as tasks of Label Studio.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="Whose requests --waiting writes. [default: the only one there is]",
)
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Tasks that are written, at most.",
)
@with_terminal
def command(
    terminal: Terminal,
    *,
    path: Path | None,
    journal: str,
    label_studio: bool,
    waiting: Path | None,
    model: str | None,
    most: int,
) -> None:
    """Take feedback from TABLE: CSV, Parquet, JSON lines or Excel.

    Its columns are request_id, and one of label (what the request truly was), correct (yes or no)
    and worth (what it earned); source, person, seconds, feedback_id and time_utc where they are
    known. All rows are read before the first is written; the same table taken twice counts once.
    Requests that have no decision yet are told, and count as soon as they have.

    With --waiting, requests whose text was kept and that nobody labelled are written for Label
    Studio, the unsure ones first; with --label-studio, its annotations come back.
    """
    if (path is None) == (waiting is None):
        raise ProjectError(
            "PF290", "payoff feedback", "it takes one of TABLE and --waiting OUT.json"
        )
    if model is not None and waiting is None:
        raise ProjectError("PF290", "--model", "it is for --waiting", mend="Leave it out.")
    if waiting is not None:
        _write_waiting(terminal, journal, waiting, most, model)
    elif path is not None:
        _take(terminal, journal, _annotations(path) if label_studio else _rows(path))


def _rows(path: Path) -> list[Feedback]:
    """What the rows of a table tell."""
    from payoff.apps.columns import reader_of
    from payoff.learn.feedback_rows import COLUMNS, feedback_rows

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
    return feedback_rows(rows, str(path))


def _annotations(path: Path) -> list[Feedback]:
    """What the annotations of an export of Label Studio tell."""
    from payoff.learn.label_studio import label_studio_feedback

    try:
        document = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("PF101", str(path), f"it cannot be read: {error}") from error
    return label_studio_feedback(document, str(path))


def _take(terminal: Terminal, journal: str, told: list[Feedback]) -> None:
    from payoff.learn.feedback import take
    from payoff.learn.feedback_rows import in_blocks
    from payoff.learn.journal import Journal

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


def _write_waiting(
    terminal: Terminal, journal: str, out: Path, most: int, model: str | None
) -> None:
    from payoff.core.files import write_json
    from payoff.learn.journal import Journal
    from payoff.learn.label_studio import label_studio_tasks
    from payoff.learn.neighbours import NOBODY, neighbours_of
    from payoff.learn.versions import models_with_versions
    from payoff.learn.waiting import waiting_requests

    with Journal.open(existing_journal(journal)) as book:
        beside = NOBODY
        if model is not None or len(models_with_versions(book)) > 1:
            beside = neighbours_of(book, meant_model(book, model))
        tasks = label_studio_tasks(waiting_requests(book, most=most, beside=beside))
    write_json(out, tasks)
    told = {"n_waiting": len(tasks), "out": str(out)}
    terminal.show(told, lambda: terminal.line(f"{len(tasks):,} requests wait for a label: {out}"))
