"""What most verbs start from: a project folder, or a data file with its columns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.core.errors import DataError, ProjectError

if TYPE_CHECKING:
    from payoff.cli.terminal import Terminal
    from payoff.data.dataset import Dataset
    from payoff.plan.project import Project

PROJECT_FILE = "payoff.toml"
_WHERE_FROM = "Check the path; relative paths start where you stand."


@dataclass(frozen=True, slots=True)
class Source:
    """Where a verb's examples come from.

    Args:
        path: A project folder, or a data file.
        text: Column of the texts; empty for a project, which names it in its file.
        label: Column of the labels; empty for a project.
        columns: Other columns by their role: pair, group, time, segment, out_of_scope.
        reading: How delimited text is read, where it is not to be found out: ``delimiter`` and
            ``encoding``.

    Example:
        >>> Source(Path("tickets.csv"), "message", "intent").is_project
        False
    """

    path: Path
    text: str = ""
    label: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    reading: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def is_project(self) -> bool:
        """Whether the examples are described by a ``payoff.toml``."""
        return self.path.is_dir() or self.path.name == PROJECT_FILE

    def project(self) -> Project:
        """Read the project's ``payoff.toml``.

        Raises:
            ProjectError: PF201 to PF203 where there is none, or something in it is wrong.
        """
        from payoff.plan.project import Project

        return Project.read(self.path)

    def dataset(self) -> Dataset:
        """Read the labelled rows.

        Raises:
            DataError: PF101 to PF108 where the file cannot be used.
            ProjectError: PF290 where ``--text`` is missing, or where it is said how to read
                delimited text and the file is of another kind; PF2xx as for `project`.
        """
        if self.is_project:
            return self.project().dataset()
        from payoff.data.dataset import Dataset

        self.check_path()
        if not self.text:
            raise ProjectError(
                "PF290",
                str(self.path),
                "a data file needs the name of its text column",
                mend="Add: --text COLUMN --label COLUMN",
            )
        roles: dict[str, Any] = {"text": self.text, "label": self.label or None, **self.columns}
        if not self.reading:
            return Dataset.from_file(self.path, **roles)
        if not _is_delimited(self.path):
            raise ProjectError(
                "PF290",
                str(self.path),
                f"--{min(self.reading)} is for delimited text, and its ending says another kind",
                expected="a file ending in .csv, .txt or .tsv",
                mend=f"Leave --{min(self.reading)} out.",
            )
        known = {"delimiter": "\t"} if self.path.suffix.lower() == ".tsv" else {}
        return Dataset.from_csv(self.path, **roles, **known | self.reading)

    def check_path(self) -> None:
        """Whether there is anything to read.

        Raises:
            DataError: PF101 where there is not.
        """
        if not self.path.exists():
            raise DataError("PF101", str(self.path), "there is no such file", mend=_WHERE_FROM)

    def beside(self, path: Path) -> Source:
        """Another file with the same columns; read alike, where it is delimited text too.

        Example:
            >>> tickets = Source(Path("a.csv"), "message", reading={"delimiter": "^"})
            >>> tickets.beside(Path("b.csv")).reading, tickets.beside(Path("b.parquet")).reading
            ({'delimiter': '^'}, {})
        """
        text, label, columns = self.text, self.label, self.columns
        if self.is_project:
            named = self.project().data
            text, label = named["text"], named["label"]
            columns = {role: column for role, column in named.items() if role == "pair"}
        reading = self.reading if _is_delimited(path) else {}
        return Source(path, text, label, columns, reading=reading)

    def texts_beside(self, path: Path) -> list[str]:
        """The texts of another file, in the column of the same name; it needs no labels.

        Raises:
            DataError: PF101 to PF108 where the file cannot be used.
        """
        other = self.beside(path)
        pair = {role: column for role, column in other.columns.items() if role == "pair"}
        return Source(path, other.text, "", pair, reading=other.reading).dataset().texts

    def target_rows(self) -> tuple[Dataset, str]:
        """The rows, and the label column, which is left for a task to read.

        Raises:
            DataError: PF101 to PF108 where the file cannot be used.
            ProjectError: PF290 where ``--text`` or ``--label`` is missing; PF2xx as for `project`.
        """
        if self.is_project:
            project = self.project()
            return project.target_rows(), project.data["label"]
        if not self.label:
            raise ProjectError(
                "PF290",
                str(self.path),
                "a task needs the name of the column that it learns",
                mend="Add: --label COLUMN",
            )
        return replace(self, label="").dataset(), self.label

    def target_test_rows(self, path: Path | None) -> Dataset | None:
        """The rows to report on, read alike: those of ``path``, else those a project names."""
        if path is not None:
            return self.beside(path).target_rows()[0]
        return self.project().target_test_rows() if self.is_project else None

    def descriptions_beside(self, path: Path) -> dict[str, str]:
        """What labels mean: a table with the columns ``label`` and ``description``.

        Raises:
            DataError: PF101 to PF108 where the file cannot be used; PF104 where it describes a
                label twice.
        """
        reading = self.reading if _is_delimited(path) else {}
        table = Source(path, "description", "label", reading=reading).dataset()
        told = dict(zip(table.targets, table.texts, strict=True))
        if len(told) < len(table):
            raise DataError(
                "PF104",
                str(path),
                f"{len(table)} rows describe {len(told)} labels",
                expected="one row a label",
                mend="Describe each label once.",
            )
        return {label: text for label, text in told.items() if text.strip()}

    def unlabelled(self) -> tuple[str, ...]:
        """The texts without labels that a project names; none where it names none."""
        return self.project().unlabelled() if self.is_project else ()

    def descriptions(self) -> Mapping[str, str]:
        """What labels mean, as a project says; nothing where it says nothing."""
        return self.project().descriptions if self.is_project else {}

    def test_set(self) -> Dataset | None:
        """The test rows that a project names; ``None`` where it names none."""
        return self.project().test_set() if self.is_project else None


def say_notes(terminal: Terminal, *datasets: Dataset | None) -> None:
    """Tell what was assumed on reading and nobody said: an encoding, a sheet, a delimiter."""
    for note in dict.fromkeys(note for one in datasets if one is not None for note in one.notes):
        terminal.say(note)


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``PATH``, its columns and how to read it, as one `Source`."""

    @click.argument("path", type=click.Path(path_type=Path), default=".")
    @click.option("--text", default="", metavar="COLUMN", help="Column of the texts.")
    @click.option("--label", default="", metavar="COLUMN", help="Column of the labels.")
    @click.option("--pair", metavar="COLUMN", help="Column of the second text of each example.")
    @click.option("--group", metavar="COLUMN", help="Column that says whose text it is.")
    @click.option("--time", metavar="COLUMN", help="Column of the time it was written.")
    @click.option("--segment", metavar="COLUMN", help="Column of the market segment.")
    @click.option("--delimiter", metavar="SIGN", help="What stands between the cells of a CSV.")
    @click.option("--encoding", metavar="NAME", help="Encoding of a CSV, such as gb18030.")
    @functools.wraps(function)
    def verb(*arguments: Any, path: Path, text: str, label: str, **options: Any) -> Any:
        columns = _given(options, "pair", "group", "time", "segment")
        reading = _given(options, "delimiter", "encoding")
        if reading.get("delimiter") == r"\t":  # a tab is hard to type on some command lines
            reading["delimiter"] = "\t"
        source = Source(path, text, label, columns, reading=reading)
        if source.is_project and (text or label or columns):
            raise ProjectError(
                "PF290",
                str(path),
                "a project names its columns in payoff.toml, and columns were given here too",
                mend="Leave the columns out, or give the data file instead of the folder.",
            )
        if source.is_project and reading:
            raise ProjectError(
                "PF290",
                str(path),
                f"--{min(reading)} is for a data file, and a project was given",
                mend=f"Leave --{min(reading)} out, or give the data file instead of the folder.",
            )
        return function(*arguments, source=source, **options)

    return verb


def _given(options: dict[str, Any], *names: str) -> dict[str, str]:
    """Take options out of ``options``; those that were given come back."""
    values = {name: options.pop(name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _is_delimited(path: Path) -> bool:
    from payoff.data.dataset import ENDINGS

    return ENDINGS.get(path.suffix.lower()) in ("csv", "tsv")
