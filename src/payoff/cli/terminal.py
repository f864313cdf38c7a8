"""Where a verb writes: results on stdout, progress on stderr, and JSON where it was asked for."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from payoff.cli.widths import column_widths
from payoff.core.files import to_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_SECONDS_BETWEEN_LINES = 5.0
_WIDTH_OF_FILES = 140


class Terminal:
    """A verb's output; it is also the `payoff.core.progress.Progress` of what the verb calls.

    Args:
        as_json: The verb prints one JSON document instead of text for people.
        quiet: No progress is shown.

    Example:
        >>> Terminal(as_json=True).show({"answer": 42}, lambda: print("forty-two"))
        {
          "answer": 42
        }
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, float]] = {}
        self._line_s = time.monotonic()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """Rich's console on stdout; wide where stdout is a file or a pipe."""
        if self._console is None:
            from rich.console import Console

            width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES
            self._console = Console(width=width, highlight=False)
        return self._console

    def show(self, content: Any, people: Callable[[], None]) -> None:
        """Print the result: ``content`` as JSON, or by calling ``people``."""
        self.close()
        if self.as_json:
            click.echo(to_json(content), nl=False)
        else:
            people()

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        title: str = "",
        right: Sequence[str] = (),
    ) -> None:
        """Print a table for people; the columns named in ``right`` are aligned to the right.

        Where a line has no room for it without cutting numbers, columns stand closer; where that
        is not enough, each row is told in lines of its own.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        listed = [tuple(row) for row in rows]
        for padding in (1, 0):
            room = self.console.width - 2 - (1 + 2 * padding) * (len(columns) - 1)
            widths = column_widths(columns, listed, right=right, room=room)
            if widths is not None:
                break
        else:
            self._records(columns, listed, title)
            return
        table = Table(
            box=SIMPLE_HEAD,
            title=title or None,
            title_justify="left",
            pad_edge=False,
            padding=(0, padding),
        )
        for column, width in zip(columns, widths, strict=True):
            justify: Literal["left", "right"] = "right" if column in right else "left"
            table.add_column(column, justify=justify, width=width, overflow="fold")
        for row in listed:
            table.add_row(*[Text(cell) for cell in row])
        self.console.print(table)

    def _records(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = ""
    ) -> None:
        """Each row as its first cell and, below it, what the others are."""
        if title:
            self.line(title, style="italic")
        for first, *others in rows:
            self.line(first, style="bold")
            told = [
                f"{name} {cell}".strip()
                for name, cell in zip(columns[1:], others, strict=True)
                if cell
            ]
            self.line("  " + " · ".join(told))
        self.line()

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print a line of text for people, wrapped and never read as markup."""
        self.console.print(text, style=style or None, markup=False)

    def say(self, message: str) -> None:
        """Tell once, on stderr, that something happened."""
        if self.quiet:
            return
        if self._bars is not None:
            self._bars.console.print(message, markup=False, highlight=False)
        else:
            click.echo(message, err=True)

    def step(self, what: str, done: float, total: float) -> None:
        """Show that ``done`` of ``total`` units of ``what`` are finished."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._bar(what, done, total)
        else:
            self._line(what, done, total)

    def close(self) -> None:
        """End the bars, so that nothing is drawn over what follows."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()

    def _bar(self, what: str, done: float, total: float) -> None:
        if self._bars is None:
            self._bars = _bars()
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)
        if total and done >= total:
            self._bars.remove_task(self._tasks.pop(what))

    def _line(self, what: str, done: float, total: float) -> None:
        now = time.monotonic()
        started, before = self._started.setdefault(what, (now, done))
        if done < before:  # the same work begins anew
            started, before = self._started[what] = (now, done)
        if now - self._line_s < _SECONDS_BETWEEN_LINES or not total:
            return
        self._line_s = now
        left_s = (now - started) * (total - done) / (done - before) if done > before else 0.0
        left = f", about {left_s:.0f} s left" if done < total and left_s else ""
        click.echo(f"{what}: {done / total:.0%}{left}", err=True)


def with_terminal(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--json``, ``--quiet`` and ``--debug``, and a `Terminal` as first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
    @click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
    @functools.wraps(function)
    def verb(*arguments: Any, as_json: bool, quiet: bool, debug: bool, **options: Any) -> Any:
        del debug  # read from the command line by `failures`, where a failure ends
        terminal = Terminal(as_json=as_json, quiet=quiet)
        try:
            return function(terminal, *arguments, **options)
        finally:
            terminal.close()

    return verb


def _bars() -> RichProgress:
    """Bars with the time left, on stderr, gone when done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
