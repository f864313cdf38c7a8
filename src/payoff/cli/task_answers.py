"""What ``payoff predict`` does with a model of several labels, of grades or of numbers."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from payoff.cli.terminal import Terminal
from payoff.core.csv_rows import CsvRows
from payoff.core.files import write_text


def is_task_model(folder: Path) -> bool:
    """Whether a path is the folder of a tier that says its task, and no artifact."""
    from payoff.artifact.task_model import SPEC_FILE

    return (folder / SPEC_FILE).is_file()


def show_answers(
    terminal: Terminal,
    folder: Path,
    texts: Sequence[str],
    *,
    pairs: Sequence[str] | None,
    rows: Sequence[int],
    out: Path | None,
) -> None:
    """Answer each text, and print or write that.

    Args:
        terminal: Where.
        folder: Of the tier.
        texts: ``n_texts`` of them.
        pairs: Second texts, as many, or None.
        rows: Their row numbers; empty where they are of no file.
        out: A .csv or .jsonl file to write instead of printing.

    Raises:
        ArtifactError: PF503 or PF504 where the tier cannot be used.
        DataError: PF105 or PF112 where texts cannot be answered.
    """
    from payoff.artifact.task_model import TaskModel

    said = TaskModel.open(folder).answers(texts, pairs=pairs)
    records: list[dict[str, Any]] = [
        ({"row": rows[i]} if rows else {})
        | {"text": text}
        | ({"pair": pairs[i]} if pairs is not None else {})
        | {"answer": list(answer) if isinstance(answer, tuple) else answer}
        for i, (text, answer) in enumerate(zip(texts, said, strict=True))
    ]
    if out is not None:
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
        write_text(out, lines if out.suffix == ".jsonl" else _table(records))
        content = {"out": str(out), "n_answers": len(said)}
        terminal.show(content, lambda: terminal.line(f"{len(said):,} answers in {out}"))
        return
    terminal.show({"answers": records}, lambda: click.echo(_table(records), nl=False))


def _table(records: Sequence[dict[str, Any]]) -> str:
    """Answers as CSV with a header row; several labels as a JSON list, which --task reads again."""
    buffer = io.StringIO()
    writer = CsvRows(buffer)
    writer.writerow(records[0] if records else ["text", "answer"])
    for record in records:
        answer = record["answer"]
        if isinstance(answer, list):
            record = record | {"answer": json.dumps(answer, ensure_ascii=False)}
        writer.writerow(record.values())
    return buffer.getvalue()
