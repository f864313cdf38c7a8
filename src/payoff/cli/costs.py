"""``payoff costs``: what was spent on what, by month, against the budget."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.books import existing_journal, journal_of
from payoff.cli.findings import show_findings
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError
from payoff.core.money import Money

if TYPE_CHECKING:
    from payoff.learn.booking import Booking
    from payoff.learn.spending import SpendingTerms, Spent


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--month", help="Only this month, such as 2026-11. [default: all]")
@click.option("--currency", help="Currency of the sums where no project states it.")
@with_terminal
def command(
    terminal: Terminal, *, paths: tuple[str, ...], month: str | None, currency: str | None
) -> None:
    """Show what was spent on what, by month, against the budget.

    PATH is a project folder, an artifact, a journal's file or its database URL; the folder that
    you are in where none is given. What several journals have in common counts once.
    """
    from payoff.learn.journal import Journal
    from payoff.learn.spending import spent, unpriced

    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ProjectError(
            "PF290", "--month", f"'{month}' is no month", expected="year and month, as in 2026-11"
        )
    terms, addresses = _asked(paths or (".",), currency)
    bookings: list[Booking] = []
    for address in addresses:
        with Journal.open(address) as journal:
            bookings += journal.bookings(month or "")
    terms = terms or _terms_of(bookings, currency)
    rows = spent(bookings, terms.currency, rates=terms.rates)
    finding = unpriced(rows)
    months = [_month(name, rows, terms) for name in sorted({row.month for row in rows})]
    content = {
        "currency": terms.currency,
        "budget_per_month": terms.per_month,
        "months": months,
        "findings": [finding.as_dict()],
    }

    def people() -> None:
        if not months:
            terminal.line("Nothing is booked" + (f" in {month}." if month else "."))
            return
        for one in months:
            _show(terminal, one, [row for row in rows if row.month == one["month"]], terms)
        if finding.failed:
            show_findings(terminal, [finding])

    terminal.show(content, people)


def _asked(paths: Sequence[str], currency: str | None) -> tuple[SpendingTerms | None, list[str]]:
    """What the first project states, and where the journals are."""
    terms: SpendingTerms | None = None
    addresses = []
    for path in paths:
        address, stated = _journal(path)
        addresses.append(address)
        terms = terms or stated
    if terms is not None and currency not in (None, terms.currency):
        raise ProjectError(
            "PF290",
            "--currency",
            f"{currency} is asked for and the project's currency is {terms.currency}",
            mend="Leave --currency out.",
        )
    return terms, addresses


def _journal(path: str) -> tuple[str, SpendingTerms | None]:
    """The address of a journal, and what its project states.

    Raises:
        ProjectError: PF293 where there is none.
    """
    if "://" in path:
        return path, None
    place, terms = Path(path), None
    if place.is_dir() or place.name == "payoff.toml":
        from payoff.plan.project import Project

        project = Project.read(place)
        place, terms = journal_of(project.folder, project.name), project.spending
    elif place.suffix == ".payoff":
        place = journal_of(place.parent, place.stem)
    if not place.is_file():
        raise ProjectError(
            "PF293",
            str(place),
            "there is no such journal",
            mend="Run `payoff run` first, or name the journal's file or address.",
        )
    return existing_journal(str(place)), terms


def _terms_of(bookings: Sequence[Booking], currency: str | None) -> SpendingTerms:
    """The currency that was asked for, or that all lines with money have; no budget."""
    from payoff.learn.spending import SpendingTerms

    lines = [booking.line for booking in bookings]
    paid = [line for line in lines if line.amount.amount]
    used = sorted({line.unit_price.currency for line in paid or lines})
    return SpendingTerms(currency=Money.of(0, currency or (used[0] if used else "USD")).currency)


def _month(name: str, rows: Sequence[Spent], terms: SpendingTerms) -> dict[str, Any]:
    from payoff.economics.energy import energy_of
    from payoff.learn.spending import total

    mine = [row for row in rows if row.month == name]
    gone = total(mine, terms.currency)
    cpu_s = sum(row.cpu_s for row in mine)
    used = energy_of(cpu_s, terms.watts_per_cpu, terms.grams_per_kwh)
    cap = terms.per_month
    left = None if cap is None else Money.of(cap, terms.currency) - gone
    return {
        "month": name,
        "total": format(gone.amount, "f"),
        "left": None if left is None else format(left.amount, "f"),
        "lines": [row.as_dict() for row in mine],
        "energy": used.as_dict(),
    }


def _show(
    terminal: Terminal, month: dict[str, Any], rows: Sequence[Spent], terms: SpendingTerms
) -> None:
    lines = [
        (row.step.value, row.what, f"{row.quantity:,.4g} {row.unit}", _exact(row.amount))
        for row in rows
    ]
    gone = Money.of(month["total"], terms.currency)
    lines.append(("", "all", "", _exact(gone)))
    terminal.table(
        ("step", "what", "quantity", "amount"),
        lines,
        title=month["month"],
        right=("quantity", "amount"),
    )
    if terms.per_month is not None:
        cap = Money.of(terms.per_month, terms.currency)
        terminal.line(f"budget  {_exact(cap)}, of which {_exact(cap - gone)} are left")
    used = month["energy"]
    if used["cpu_s"]:
        carbon = used["grams_co2e"]
        told = "" if carbon is None else f", {carbon:,.3g} g CO2e"
        where = terms.watts_per_cpu.source
        terminal.line(
            f"energy  {used['cpu_s']:,.0f} s of processor time, {used['kwh']:,.3g} kWh{told} "
            f"({terms.watts_per_cpu.value:g} W a processor: {where})"
        )
    terminal.line()


def _exact(money: Money) -> str:
    """Cents always: these are books, and no forecast."""
    return f"{money.rounded().amount:,f} {money.currency}"
