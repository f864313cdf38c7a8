"""``payoff prices``: the dated prices that forecasts are made of."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payoff.cli.findings import show_findings
from payoff.cli.listing import Listing
from payoff.cli.own_prices import add_price, refresh_prices
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.findings import count_by_status

if TYPE_CHECKING:
    from payoff.economics.prices.book import PriceBook


_KINDS = (
    "instance",
    "gpu_instance",
    "serverless_request",
    "serverless_gb_second",
    "serverless_vcpu_second",
    "object_storage_gb_month",
    "egress_gb",
)
"""Those of the price book, which is read when it is asked for."""


@click.group(cls=Listing)
def command() -> None:
    """List the prices of machines, storage and transfer, check them, or add your own."""


def _book(path: Path | None) -> PriceBook:
    from payoff.economics.prices.book import PriceBook

    book = PriceBook.builtin()
    return book if path is None else book.with_prices(PriceBook.from_csv(path))


_extra_file = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Prices of your own, beside the built-in ones.",
)


@command.command("list")
@_extra_file
@click.option("--kind", type=click.Choice(_KINDS), help="Only this kind.")
@click.option("--provider", help="Only this provider.")
@click.option("--region", help="Only this region.")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="As they were on this day.")
@click.option("--all-commitments", is_flag=True, help="Also reserved and spot prices.")
@with_terminal
def list_prices(
    terminal: Terminal,
    *,
    path: Path | None = None,
    kind: str | None = None,
    provider: str | None = None,
    region: str | None = None,
    on: datetime | None = None,
    all_commitments: bool = False,
) -> None:
    """List prices with their day and source; the newest one at or before --on holds."""
    prices = _book(path).find(
        kind=kind,
        provider=provider,
        region=region,
        commitment=None if all_commitments else "on_demand",
        on=on.date() if on else None,
    )

    def people() -> None:
        rows = [
            (
                p.provider,
                p.item,
                p.region,
                f"{p.price} {p.currency}",
                p.unit,
                str(p.as_of),
                p.source,
            )
            for p in prices
        ]
        columns = ("provider", "item", "region", "price", "per", "as of", "source")
        terminal.table(columns, rows, right=("price",))
        terminal.line(f"{len(prices)} prices. Prices of language models are those of genai-prices.")

    terminal.show({"prices": [price.as_dict() for price in prices]}, people)


@command.command("check")
@_extra_file
@click.option(
    "--max-age-days",
    type=click.IntRange(min=0),
    default=180,
    show_default=True,
    help="Older prices are told.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 where a check failed.")
@with_terminal
def check_prices(terminal: Terminal, *, path: Path | None, max_age_days: int, strict: bool) -> int:
    """Check the prices: too old, without a source, of an unknown unit or currency, missing."""
    from payoff.economics.prices.coverage import missing_prices

    book, today = _book(path), date.today()
    findings = [*book.check(today, max_age_days), *missing_prices(book, today)]
    content = {
        "counts": count_by_status(findings),
        "findings": [finding.as_dict() for finding in findings],
    }
    terminal.show(content, lambda: show_findings(terminal, findings))
    return 1 if strict and any(finding.failed for finding in findings) else 0


command.add_command(add_price, "add")
command.add_command(refresh_prices, "refresh")
