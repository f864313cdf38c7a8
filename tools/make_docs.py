"""Make the pages of docs/ that say what the source says; ``--check`` fails where one is stale.

docs/errors.md comes from core/codes.toml, docs/command-line.md from the click commands, and
docs/api.md from the package's ``__all__``, docs/decisions/index.md from the records' headings.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import payoff
from payoff.cli.main import SECTIONS, group
from payoff.core.codes import Code, catalogue

DOCS = Path(__file__).resolve().parents[1] / "docs"
ROOMS = {
    "1": "Data",
    "2": "The project file and the command line",
    "3": "Backbones: pretrained models",
    "4": "Adapting: training, compressing, exporting",
    "5": "Artifacts",
    "6": "Economics: prices, costs, forecasts",
    "7": "The service and its journal",
    "8": "The machine",
}
NOTE = "<!-- Made by tools/make_docs.py from {source}: change that, then run `make docs-pages`. -->"


def errors_page(codes: dict[str, Code]) -> str:
    """Every code with its explanation, errors and findings apart, a section a hundred."""
    lines = [
        NOTE.format(source="src/payoff/core/codes.toml"),
        "# Errors and findings",
        "",
        "An *error* stops what was asked for: it says where, what was found, what was expected",
        "and how to mend it. A *finding* is the result of a check: passed, failed, not applicable",
        "or not checked. Both have a code that never changes its meaning. On the command line an",
        "error ends with exit code 2, or 3 where the machine is at fault (PF8xx); the service",
        "answers with the status given here.",
    ]
    for hundred, title in ROOMS.items():
        entries = [entry for code, entry in codes.items() if code[2] == hundred]
        if entries:
            lines += ["", f"## PF{hundred}xx {title}"]
        for entry in entries:
            lines += ["", *_entry(entry)]
    return "\n".join(lines) + "\n"


def _entry(entry: Code) -> list[str]:
    kind = f"Error · HTTP {entry.http_status}" if entry.kind == "error" else "Finding"
    return [
        f"### {entry.code} {entry.title}",
        "",
        f"*{kind}.* {entry.explanation}",
        "",
        f"**To mend:** {entry.mend}",
    ]


def command_page() -> str:
    """Every verb with its help text, as the terminal shows it."""
    lines = [
        NOTE.format(source="src/payoff/cli"),
        "# Command line",
        "",
        "`payoff VERB …`. A verb that starts from data takes a project folder, or a data file",
        "with `--text COLUMN --label COLUMN`. Every verb takes `--json` (one JSON document on",
        "standard output, also for errors), `--quiet` (no progress) and `--debug` (the traceback",
        "of a failure).",
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | a check failed, and `--strict` was given |",
        "| 2 | the input or the command line is wrong |",
        "| 3 | the machine lacks something (PF8xx) |",
        "| 70 | a defect in payoff (PF899) |",
        "| 130, 143 | stopped by Ctrl-C or by a termination signal (PF806) |",
    ]
    context = click.Context(group, info_name="payoff", max_content_width=100, terminal_width=92)
    for title, verbs in SECTIONS.items():
        lines += ["", f"## {title}"]
        for verb in verbs:
            command = group.get_command(context, verb)
            if command is not None:
                lines += _command(command, verb, context, depth=3)
    return "\n".join(lines) + "\n"


def _command(
    command: click.Command, name: str, parent: click.Context, *, depth: int
) -> Iterator[str]:
    context = click.Context(
        command, info_name=name, parent=parent, max_content_width=100, terminal_width=92
    )
    yield from ("", f"{'#' * depth} {context.command_path}", "", "```text")
    yield command.get_help(context)
    yield "```"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            below = command.get_command(context, child)
            if below is not None:
                yield from _command(below, child, context, depth=depth + 1)


def api_page() -> str:
    """Every public name of the package's root, by its home."""
    lines = [
        NOTE.format(source="payoff.__all__"),
        "# Python interface",
        "",
        "These names are the whole public interface of `import payoff`; all else may change.",
    ]
    for name, home in sorted(payoff._HOME.items(), key=lambda item: item[0].lower()):
        lines += ["", f"::: {home}.{name}"]
    return "\n".join(lines) + "\n"


def decisions_page() -> str:
    """The decision records by number and title, as their first headings say them."""
    lines = [
        NOTE.format(source="the records beside it"),
        "# Decisions",
        "",
        "Each record states a question, the choice, why, and what follows from it. A record is not",
        "rewritten when a later one replaces it.",
        "",
    ]
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        heading = re.search(r"^# (\d+)\. (.+)$", path.read_text("utf-8"), re.MULTILINE)
        if heading is None:
            raise SystemExit(f"docs/decisions/{path.name} does not begin with '# NUMBER. TITLE'")
        lines.append(f"- {heading[1]}. [{heading[2]}]({path.name})")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Text of every generated page."""
    return {
        DOCS / "errors.md": errors_page(dict(catalogue())),
        DOCS / "command-line.md": command_page(),
        DOCS / "api.md": api_page(),
        DOCS / "decisions" / "index.md": decisions_page(),
    }


def main(arguments: list[str]) -> int:
    """Write the pages; with ``--check`` write nothing and return 1 where one is stale."""
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if "--check" in arguments:
            print(
                f"{path.relative_to(DOCS.parent)} is stale: run `make docs-pages`.", file=sys.stderr
            )
        else:
            path.write_text(pages()[path], "utf-8")
            print(f"{path.relative_to(DOCS.parent)} is written.")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
