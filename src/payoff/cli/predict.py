"""``payoff predict``: what an artifact would do with texts, and what that is worth."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.source import say_notes
from payoff.cli.task_answers import is_task_model, show_answers
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.csv_rows import CsvRows
from payoff.core.errors import DataError, ProjectError
from payoff.core.files import write_text

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset
    from payoff.economics.decision import Decision

_ENDINGS = (".csv", ".jsonl")
_COLUMNS = ("text", "action", "label", "probability", "worth", "currency")
_SEGMENT = "segment"


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    metavar="TEXT",
    help="A text, once or several times; with FILE: the name of its text column.",
)
@click.option(
    "--pair",
    metavar="TEXT",
    help="The second text beside one --text; with FILE: the name of its column.",
)
@click.option(
    "--segment",
    metavar="NAME",
    help="Segment of the customer; with FILE: the name of its column.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the decisions here, as .csv or .jsonl, instead of printing them.",
)
@with_terminal
def command(
    terminal: Terminal,
    *,
    artifact: Path,
    file: Path | None,
    texts: tuple[str, ...],
    pair: str | None,
    segment: str | None,
    out: Path | None,
) -> None:
    """Decide texts, or every row of FILE, with the artifact ARTIFACT (NAME.payoff).

    ARTIFACT may also be the folder of a tier that `payoff tune --task` made; then texts are given
    labels, grades or numbers, without a word on money.
    """
    _check_out(out)
    if file is None:
        rows: Sequence[int] = ()
        given, pairs = list(texts), _one_pair(texts, pair)
        segments = None if segment is None else [segment] * len(given)
    else:
        dataset = _read(file, texts, pair, segment)
        say_notes(terminal, dataset)
        rows, given = [int(row) for row in dataset.rows], dataset.column("text")
        pairs = None if pair is None else dataset.column("pair")
        segments = None if segment is None else dataset.column("segment")
    if is_task_model(artifact):
        show_answers(terminal, artifact, given, pairs=pairs, rows=rows, out=out)
        return
    from payoff.economics.desk import load
    from payoff.plan.booked_answers import booked_answers

    with load(artifact) as desk, booked_answers(desk, artifact):
        decisions = desk.decide_many(given, pairs=pairs, segments=segments)
        apart = ", ".join(desk.policy.segment_values) or "none"
    if segments is not None and not any(made.segment for made in decisions):
        terminal.say(f"--segment changed nothing: segments with a worth of their own: {apart}")
    if out is not None:
        write_text(out, (_lines if out.suffix == ".jsonl" else _table)(decisions, given, rows))
        content = {"out": str(out), "n_decisions": len(decisions)}
        terminal.show(content, lambda: terminal.line(f"{len(decisions):,} decisions in {out}"))
        return
    records = _records(decisions, given, rows)
    if file is None:
        terminal.show({"decisions": records}, lambda: _people(terminal, decisions))
    else:
        table = _table(decisions, given, rows)
        terminal.show({"decisions": records}, lambda: click.echo(table, nl=False))


def _check_out(out: Path | None) -> None:
    """Refuse an ending that cannot be written before any work is done."""
    if out is not None and out.suffix not in _ENDINGS:
        raise ProjectError(
            "PF290", "--out", f"'{out.name}' cannot be written", expected="a .csv or .jsonl file"
        )


def _one_pair(texts: tuple[str, ...], pair: str | None) -> list[str] | None:
    if pair is not None and len(texts) != 1:
        raise ProjectError(
            "PF290", "--pair", f"it goes with one --text, and there are {len(texts)}"
        )
    return None if pair is None else [pair]


def _read(file: Path, texts: tuple[str, ...], pair: str | None, segment: str | None) -> Dataset:
    """The rows of a data file."""
    from payoff.data.dataset import Dataset

    if len(texts) != 1:
        raise ProjectError(
            "PF290",
            "--text",
            f"{len(texts)} columns are named",
            expected="the one text column of the file",
        )
    dataset = Dataset.from_file(file, text=texts[0], pair=pair, segment=segment)
    if not len(dataset):
        raise DataError("PF106", str(file), "it has no rows", expected="at least one")
    return dataset


def _records(
    decisions: Sequence[Decision], texts: Sequence[str], rows: Sequence[int]
) -> list[dict[str, Any]]:
    """Decisions with their texts, and their row numbers where they come from a file."""
    return [
        ({"row": rows[index]} if rows else {}) | {"text": text} | decision.as_dict()
        for index, (decision, text) in enumerate(zip(decisions, texts, strict=True))
    ]


def _table(decisions: Sequence[Decision], texts: Sequence[str], rows: Sequence[int]) -> str:
    """Decisions as CSV with a header row."""
    buffer = io.StringIO()
    writer = CsvRows(buffer)
    apart = any(made.segment for made in decisions)
    writer.writerow([*(["row"] if rows else []), *_COLUMNS, *([_SEGMENT] if apart else [])])
    for index, (made, text) in enumerate(zip(decisions, texts, strict=True)):
        cells = (text, made.action, made.label, f"{made.probability:.6f}")
        money = (made.worth.amount, made.worth.currency)
        own = [made.segment] if apart else []
        writer.writerow([*([rows[index]] if rows else []), *cells, *money, *own])
    return buffer.getvalue()


def _lines(decisions: Sequence[Decision], texts: Sequence[str], rows: Sequence[int]) -> str:
    """Decisions as JSON lines."""
    records = _records(decisions, texts, rows)
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _people(terminal: Terminal, decisions: Sequence[Decision]) -> None:
    plain = [(d.action, d.label, f"{d.probability:.1%}", str(d.worth)) for d in decisions]
    columns: tuple[str, ...] = ("action", "most likely label", "probability", "expected worth")
    rows: list[tuple[str, ...]] = [*plain]
    if any(d.segment for d in decisions):
        rows = [(*row, d.segment or "–") for row, d in zip(plain, decisions, strict=True)]
        columns = (*columns, _SEGMENT)
    terminal.table(columns, rows, right=columns[2:4])
