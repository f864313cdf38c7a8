"""``payoff export``: an artifact in another tool's format, or as a kit for a host."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.artifact.target import Target, Targets, Written, check_options
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path), required=False)
@click.option("--target", default="", metavar="NAME", help="What to write; see --list.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where; beside the artifact, named after it and the target, if not given.",
)
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="Set an option of it.")
@click.option("--list", "listed", is_flag=True, help="List the targets and their options.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    artifact: Path | None,
    target: str,
    out: Path | None,
    options: tuple[str, ...],
    listed: bool,
) -> None:
    """Write the artifact ARTIFACT (NAME.payoff) in a format of other tools, or as a kit for a host.

    The artifact itself runs wherever `payoff serve` does; this is for everything else.
    """
    if listed:
        _list(terminal)
        return
    if artifact is None or not target:
        raise ProjectError(
            "PF290",
            "payoff export",
            "no artifact is given" if artifact is None else "no target is given",
            mend="Run: payoff export NAME.payoff --target NAME; payoff export --list names them",
        )
    from payoff.artifact.artifact import Artifact

    chosen = Targets().named(target)
    given = dict(_pair(one) for one in options)
    check_options(chosen, given)
    place = out or artifact.with_name(f"{artifact.stem}-{target}")
    if place.exists():
        raise ProjectError(
            "PF290", "--out", f"{place} exists", mend="Name another place, or remove it first."
        )
    with Artifact.open(artifact) as opened:
        written = chosen.write(opened, place, options=given)
    terminal.show({"target": target} | written.as_dict(), lambda: _show(terminal, chosen, written))


def _pair(told: str) -> tuple[str, str]:
    name, sign, value = told.partition("=")
    if not sign or not name:
        raise ProjectError("PF290", "--set", f"'{told}'", expected="NAME=VALUE")
    return name, value


def _list(terminal: Terminal) -> None:
    targets = Targets().all()
    content = {one.name: {"title": one.title, "options": dict(one.options)} for one in targets}

    def people() -> None:
        rows = [
            (
                one.name,
                one.title,
                "\n".join(f"{name}: {told}" for name, told in one.options.items()),
            )
            for one in targets
        ]
        terminal.table(("target", "what it is", "options"), rows)

    terminal.show(content, people)


def _show(terminal: Terminal, target: Target, written: Written) -> None:
    terminal.line(f"{target.title}: {written.path} ({written.size_bytes / 1e6:.1f} MB)")
    for note in written.notes:
        terminal.line(f"  {note}")
    if written.next_step:
        terminal.line(f"Next: {written.next_step}")
