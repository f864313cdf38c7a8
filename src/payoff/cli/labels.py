"""What `payoff plan --labels` reads and prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payoff.cli.source import Source
from payoff.cli.terminal import Terminal
from payoff.core.errors import ProjectError
from payoff.core.money import format_money

_SHOWN = 10


def texts_without_labels(
    path: Path, file: Path | None, column: str | None
) -> tuple[str, ...] | list[str] | None:
    """The texts of a file, else those that the project names; None where there are none.

    Raises:
        ProjectError: PF290 where the column is not known.
        DataError: PF101 to PF108 where the file cannot be used.
    """
    project = Source(path)
    has_project = path.name == "payoff.toml" or (path / "payoff.toml").exists()
    if file is None:
        return (project.unlabelled() or None) if has_project else None
    if column is not None:
        return Source(file, column).dataset().texts
    if not has_project:
        raise ProjectError(
            "PF290", str(file), "the column of its texts is not known", mend="Add: --text COLUMN"
        )
    return project.texts_beside(file)


def show_labels(terminal: Terminal, told: Mapping[str, Any], written: Path | None) -> None:
    """Print the curve, the recommendation, and the texts to label first."""
    unit = told["currency"]
    if told["changes"]:
        terminal.line("if " + ", ".join(told["changes"]))
    points = told["curve"]["points"]
    columns = ("labels", "worth of a request", "standard error")
    figures = [(f"{p['labels']:,}", f"{p['mean']:.4f} {unit}", f"{p['error']:.4f}") for p in points]
    if figures:
        terminal.table(columns, figures, right=columns)
    if told["more"]:
        columns = ("more labels", "bring over the horizon", "5 to 95 %")
        more = [(f"{one['labels']:,}", *_span(one["gain"], unit)) for one in told["more"]]
        terminal.table(columns, more, right=columns)
    if told["curve"]["basis"]:
        terminal.line(told["curve"]["basis"] + ".")
    if told["crossing_sentence"]:
        terminal.line(told["crossing_sentence"])
    if told["first"]:
        _show_texts(terminal, told["first"])
    terminal.line(told["sentence"], style="bold")
    if written is not None and told["first"]:
        terminal.line(f"written   {written}")


def _show_texts(terminal: Terminal, first: Mapping[str, Any]) -> None:
    unit, texts = first["currency"], first["texts"]
    columns = ("label first", "looks like", "its truth is worth", "its label is worth")
    shown = [
        (
            one["text"],
            one["guess"],
            format_money(one["value_of_truth"], unit),
            "cannot tell" if one["worth"] is None else format_money(one["worth"], unit),
        )
        for one in texts[:_SHOWN]
    ]
    terminal.table(columns, shown, right=columns[2:])
    if len(texts) > _SHOWN:
        terminal.line(f"  … {len(texts) - _SHOWN:,} more of {first['n_given']:,}")


def _span(amount: Mapping[str, float], unit: str) -> tuple[str, str]:
    low, high = (format_money(amount[end], unit) for end in ("low", "high"))
    return format_money(amount["mean"], unit), f"{low} to {high}"
