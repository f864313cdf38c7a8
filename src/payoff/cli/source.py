"""What most verbs start from: a project folder, or a data file with its columns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.core.errors import DataError, ProjectError

if TYPE_CHECKING:
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
        columns: Other columns by their role: group, time, segment, out_of_scope.

    Example:
        >>> Source(Path("tickets.csv"), "message", "intent").is_project
        False
    """

    path: Path
    text: str = ""
    label: str = ""
    columns: dict[str, str] = field(default_factory=dict)

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
            ProjectError: PF290 where ``--text`` is missing, PF2xx as for `project`.
        """
        if self.is_project:
            return self.project().dataset()
        from payoff.data.dataset import Dataset

        if not self.path.exists():
            raise DataError("PF101", str(self.path), "there is no such file", mend=_WHERE_FROM)
        if not self.text:
            raise ProjectError(
                "PF290",
                str(self.path),
                "a data file needs the name of its text column",
                mend="Add: --text COLUMN --label COLUMN",
            )
        return Dataset.from_file(
            self.path, text=self.text, label=self.label or None, **self.columns
        )

    def test_set(self) -> Dataset | None:
        """The test rows that a project names; ``None`` where it names none."""
        return self.project().test_set() if self.is_project else None


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``PATH --text --label --group --time --segment``, as one `Source`."""

    @click.argument("path", type=click.Path(path_type=Path), default=".")
    @click.option("--text", default="", metavar="COLUMN", help="Column of the texts.")
    @click.option("--label", default="", metavar="COLUMN", help="Column of the labels.")
    @click.option("--group", metavar="COLUMN", help="Column that says whose text it is.")
    @click.option("--time", metavar="COLUMN", help="Column of the time it was written.")
    @click.option("--segment", metavar="COLUMN", help="Column of the market segment.")
    @functools.wraps(function)
    def verb(*arguments: Any, path: Path, text: str, label: str, **options: Any) -> Any:
        roles = {name: options.pop(name) for name in ("group", "time", "segment")}
        columns = {role: column for role, column in roles.items() if column is not None}
        source = Source(path, text, label, columns)
        if source.is_project and (text or label or columns):
            raise ProjectError(
                "PF290",
                str(path),
                "a project names its columns in payoff.toml, and columns were given here too",
                mend="Leave the columns out, or give the data file instead of the folder.",
            )
        return function(*arguments, source=source, **options)

    return verb
