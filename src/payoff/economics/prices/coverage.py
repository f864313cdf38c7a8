"""Coverage: which prices payoff looks for, and which of them nobody has written down yet."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from importlib import resources

from payoff.core.findings import Finding, Status
from payoff.economics.prices.book import PriceBook

Wanted = tuple[str, str]


@lru_cache(maxsize=1)
def wanted() -> dict[str, tuple[Wanted, ...]]:
    """By provider, each kind of price with how firmly it is bought; see ``coverage.toml``.

    Example:
        >>> wanted()["hetzner"][0]
        ('instance', 'on_demand')
    """
    file = resources.files("payoff.economics.prices") / "coverage.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        provider: tuple((kind, firm) for kind, firms in table.items() for firm in firms)
        for provider, table in tables.items()
    }


def missing_prices(
    book: PriceBook, on: date, providers: Iterable[str] | None = None
) -> list[Finding]:
    """PF626 for each provider: passed where every kind that is looked for has a price.

    Args:
        book: The prices.
        on: Day on which they must hold.
        providers: Whom to look at; None is all that ``coverage.toml`` names.

    Example:
        >>> (told,) = missing_prices(PriceBook(), date(2026, 11, 22), ["lambda"])
        >>> told.status.value, told.detail
        ('failed', 'no price known for lambda: gpu_instance')
    """
    named = wanted() if providers is None else [name for name in providers if name in wanted()]
    return [_finding(book, on, provider) for provider in named]


def _finding(book: PriceBook, on: date, provider: str) -> Finding:
    title = f"Every kind of price of {provider} is known"
    known = {
        (price.kind, price.commitment)
        for price in book.find(provider=provider, commitment=None, on=on)
    }
    missing = [pair for pair in wanted()[provider] if pair not in known]
    if not missing:
        return Finding("PF626", title, Status.PASSED, f"{len(wanted()[provider])} kinds")
    told = [kind if firm == "on_demand" else f"{kind} {firm}" for kind, firm in missing]
    kind, firm = missing[0]
    words = ["payoff prices add", provider, "ITEM PRICE CURRENCY", f"--kind {kind}"]
    words += [f"--commitment {firm}"] if firm != "on_demand" else []
    return Finding(
        "PF626",
        title,
        Status.FAILED,
        f"no price known for {provider}: " + ", ".join(told),
        "Add it with " + " ".join([*words, "--as-of DAY --source WHERE"]),
        n_affected=len(missing),
    )
