"""``payoff init``: ask in plain words what a project needs, and write its ``payoff.toml``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from payoff.apps.columns import Columns, read_columns
from payoff.apps.starter import Starter, project_toml
from payoff.cli.source import PROJECT_FILE
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import DataError, PayoffError, ProjectError, raise_all
from payoff.core.files import write_text

_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx")
_NEEDED = ("data", "text", "label", "correct", "wrong", "per_month")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--data", metavar="FILE", help="Your labelled texts.")
@click.option("--text", metavar="COLUMN", help="Column of the texts.")
@click.option("--label", metavar="COLUMN", help="Column of the labels.")
@click.option("--name", help="Name of the project. [default: that of the folder]")
@click.option("--currency", help="Three capital letters. [default: USD]")
@click.option("--correct", type=float, help="Worth of one request answered rightly.")
@click.option("--wrong", type=float, help="Worth of one answered wrongly, usually negative.")
@click.option("--handoff", type=float, help="Worth of one that a person takes over, all in.")
@click.option("--minutes", type=float, help="Minutes a person spends on one, instead of --handoff.")
@click.option("--wage", "wage_per_hour", type=float, help="What an hour of that person costs.")
@click.option("--error-rate", type=float, help="Share that the person gets wrong, 0 to 1.")
@click.option("--delay-cost", type=float, help="What waiting for a person costs, a request.")
@click.option("--capacity", "capacity_per_month", type=float, help="Most that people can take.")
@click.option("--per-month", type=float, help="Requests a month.")
@click.option("--low", type=float, help="Requests of a slow month.")
@click.option("--high", type=float, help="Requests of a busy month.")
@click.option("--search-minutes", type=float, help="How long a run may take. [default: 10]")
@click.option("--yes", is_flag=True, help="Ask nothing: take what was given, and the defaults.")
@click.option("--force", is_flag=True, help="Replace a payoff.toml that is there.")
@with_terminal
def command(terminal: Terminal, *, folder: Path, yes: bool, force: bool, **answers: Any) -> None:
    """Start a project in FOLDER: answer a few questions, get a payoff.toml."""
    if folder.exists() and not folder.is_dir():
        raise ProjectError(
            "PF290",
            str(folder),
            "it is a file",
            expected="the folder of the project",
            mend=f"Name the folder, and the file as: --data {folder.name}",
        )
    target = folder / PROJECT_FILE
    if target.exists() and not force:
        raise ProjectError(
            "PF203", str(target), "it is there already", mend="Edit it, or add --force."
        )
    answers["name"] = answers["name"] or folder.resolve().name or "project"
    if not yes and not terminal.as_json and sys.stdin.isatty():
        answers = _ask(folder, answers)
    answers = _guessed(folder, answers)
    raise_all(_missing(answers))
    starter = Starter(
        path=answers.pop("data"),
        **{key: value for key, value in answers.items() if value is not None},
    )
    write_text(target, project_toml(starter))

    def people() -> None:
        terminal.line(f"{target} is written.")
        terminal.line(f"Look it over, then run: payoff run {folder}")

    terminal.show({"written": str(target), "text": starter.text, "label": starter.label}, people)


def _missing(answers: dict[str, Any]) -> list[PayoffError]:
    """All that was neither given nor could be guessed, at once."""
    problems: list[PayoffError] = [
        ProjectError("PF290", "payoff init", f"--{key.replace('_', '-')} is missing")
        for key in _NEEDED
        if answers[key] is None
    ]
    if all(answers[key] is None for key in ("handoff", "minutes", "wage_per_hour")):
        problems.append(
            ProjectError(
                "PF290",
                "payoff init",
                "what a person costs is missing",
                expected="--minutes and --wage, or --handoff",
            )
        )
    return problems


def _guessed(folder: Path, answers: dict[str, Any]) -> dict[str, Any]:
    """Fill in the file and its columns where they are not given and can be told; check them."""
    data = answers["data"] or _only_file(folder)
    if data is None:
        return answers
    columns = read_columns(_data_file(folder, data))
    given = {"text": answers["text"], "label": answers["label"]}
    for role, column in given.items():
        if column is not None and column not in columns.names:
            raise ProjectError(
                "PF290",
                f"--{role}",
                f"{data} has no column '{column}'",
                expected=f"one of {', '.join(columns.names)}",
            )
    text = given["text"] or columns.text or None
    label = given["label"] or columns.label or None
    return answers | {"data": data, "text": text, "label": label}


def _data_file(folder: Path, data: str) -> Path:
    """The data file of a project whose folder need not be there yet.

    Raises:
        DataError: PF101 where it is not found from there, but from here.
    """
    place = folder / data
    if not folder.exists():  # then nothing can be found through it
        place = Path(os.path.normpath(place))
    if not place.exists() and Path(data).exists():
        raise DataError(
            "PF101",
            str(place),
            "there is no such file",
            expected="a path that starts at the project's folder",
            mend=f"Say: --data {Path(os.path.relpath(data, folder)).as_posix()}",
        )
    return place


def _only_file(folder: Path) -> str | None:
    files = [p.name for p in sorted(folder.glob("*")) if p.suffix.lower() in _ENDINGS]
    return files[0] if len(files) == 1 else None


def _ask(folder: Path, answers: dict[str, Any]) -> dict[str, Any]:
    """Ask for what was not given, one plain question at a time."""

    def ask(key: str, question: str, *, default: Any = None, kind: Any = float) -> Any:
        if answers[key] is None:
            answers[key] = click.prompt(question, default=default, type=kind, err=True)
        return answers[key]

    ask("data", "Which file holds your labelled texts?", default=_only_file(folder), kind=str)
    columns = read_columns(_data_file(folder, answers["data"]))
    click.echo(
        f"  It has {columns.n_rows:,} rows and the columns: {', '.join(columns.names)}", err=True
    )
    _ask_columns(ask, columns)
    ask("currency", "In which currency do you count?", default="USD", kind=str)
    unit = answers["currency"]
    ask("correct", f"When one request is answered rightly, what is that worth ({unit})?")
    ask("wrong", f"When one is answered wrongly, what is that worth ({unit}, with a minus)?")
    if answers["handoff"] is None:
        ask("minutes", "When a person takes over, how many minutes does one request take?")
        ask("wage_per_hour", f"What does one hour of that person cost ({unit})?")
        ask(
            "error_rate",
            "What share of requests does that person get wrong (0.02: two in 100)?",
            default=0.0,
        )
        ask(
            "delay_cost", f"What does the customer's waiting cost, a request ({unit})?", default=0.0
        )
    likely = ask("per_month", "How many requests come in a month?")
    ask("low", "And in a slow month?", default=round(likely * 0.6))
    ask("high", "And in a busy one?", default=round(likely * 1.6))
    ask("search_minutes", "How many minutes may the search take?", default=10.0)
    return answers


def _ask_columns(ask: Any, columns: Columns) -> None:
    choice = click.Choice(columns.names)
    ask("text", "Which column holds the texts?", default=columns.text or None, kind=choice)
    ask("label", "Which column says what each text is?", default=columns.label or None, kind=choice)
