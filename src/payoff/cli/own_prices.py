"""``payoff prices add`` and ``payoff prices refresh``: prices of one's own, appended to a file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payoff.cli.source import PROJECT_FILE
from payoff.cli.terminal import Terminal, with_terminal

if TYPE_CHECKING:
    from payoff.economics.prices.price import Price

_UNITS = {
    "serverless_request": "request",
    "serverless_gb_second": "gb_second",
    "serverless_vcpu_second": "vcpu_second",
    "object_storage_gb_month": "gb_month",
    "egress_gb": "gb",
}
"""What one price buys where nothing else is said; an instance is rented by the hour."""

_file = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    default="prices.csv",
    show_default=True,
    metavar="CSV",
    help="Where it is appended.",
)


@click.command(context_settings={"ignore_unknown_options": True})  # -3 is a price, and told
@click.argument("provider")
@click.argument("item")
@click.argument("price")
@click.argument("currency")
@_file
@click.option("--kind", default="instance", show_default=True, help="instance, egress_gb, …")
@click.option("--unit", help="What one price buys: hour, month, gb, … [default: by the kind]")
@click.option("--service", default="cloud", show_default=True, help="The provider's service.")
@click.option("--region", default="", help="The provider's region; none holds everywhere.")
@click.option("--as-of", default="", metavar="DAY", help="Day on which it held: 2026-11-22.")
@click.option("--source", default="", help="Where you read it.")
@click.option("--commitment", default="", help="on_demand, reserved or spot. [default: on_demand]")
@click.option("--vcpu", default="", help="Virtual processors of an instance.")
@click.option("--memory-gib", default="", help="Memory of an instance.")
@click.option("--gpu", default="", help="Name of the accelerator.")
@click.option("--gpu-count", default="", help="Number of accelerators.")
@click.option("--note", default="", help="Free tiers, limits, doubts.")
@with_terminal
def add_price(
    terminal: Terminal,
    *,
    path: Path,
    kind: str,
    unit: str | None,
    **cells: str,
) -> None:
    """Append a price of PROVIDER for ITEM to a file of your own; nothing is ever overwritten.

    A new price of the same thing gets its own day, and the newest one holds. What is free costs 0.
    """
    from payoff.economics.prices.own_prices import append_prices
    from payoff.economics.prices.price import Price

    told = {"unit": unit or _UNITS.get(kind, "hour"), "read_on": date.today().isoformat()}
    price = Price.from_row({**cells, **told, "kind": kind}, "payoff prices add")
    added = append_prices(path, [price])
    _tell(terminal, path, added, "It is there already: nothing was appended.")


@click.command()
@_file
@click.option("--from", "address", metavar="CSV", help="A price file: an address or a path.")
@with_terminal
def refresh_prices(terminal: Terminal, *, path: Path, address: str | None) -> None:
    """Ask the sources for today's prices, and append what is new to a file of your own.

    Azure's public list is asked for the machines that the price book has; with --from a price file
    in payoff's form is read instead. What no source states stays as it is: `payoff prices add`.
    """
    from payoff.economics.prices.book import PriceBook
    from payoff.economics.prices.own_prices import append_prices
    from payoff.economics.prices.refresh import SOURCES, PriceFileSource

    book, today = PriceBook.builtin(), date.today()
    if path.exists():
        book = book.with_prices(PriceBook.from_csv(path))
    stated: list[Price] = []
    for source in (PriceFileSource(address),) if address else SOURCES:
        terminal.say(f"Asking {source.name} …")
        stated += source.prices(book, today)
    asked = {price.provider for price in stated}
    others = sorted(set(book.providers) - asked)
    added = append_prices(path, stated)
    if others:
        terminal.say(f"Not refreshed, since no source states them: {', '.join(others)}.")
    _tell(terminal, path, added, "There was nothing new.")


def _tell(terminal: Terminal, path: Path, added: tuple[Price, ...], nothing: str) -> None:
    content = {"file": str(path), "added": [price.as_dict() for price in added]}

    def people() -> None:
        if not added:
            terminal.line(nothing)
            return
        for price in added[:10]:
            terminal.line(f"{_plain(price.price)} {price.label}, {price.as_of}, {price.source}")
        more = f", {len(added) - 10} of them not shown" if len(added) > 10 else ""
        terminal.line(f"{len(added)} appended to {path}{more}.")
        if not _is_used(path):
            terminal.line(
                f'A project reckons with them when its {PROJECT_FILE} says [hosting] prices = "'
                f'{path.name}".'
            )

    terminal.show(content, people)


def _plain(number: Decimal) -> str:
    return format(number, "f")


def _is_used(path: Path) -> bool:
    """Whether the project beside the file names it."""
    project = path.parent / PROJECT_FILE
    return project.is_file() and path.name in project.read_text("utf-8", errors="replace")
