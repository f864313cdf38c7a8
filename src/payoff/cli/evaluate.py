"""``payoff evaluate``: how good an artifact is on labelled texts, and what it would earn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from payoff.cli.ranges import Finite
from payoff.cli.source import Source, say_notes
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.money import format_money


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text", required=True, metavar="COLUMN", help="Column of the texts.")
@click.option("--pair", metavar="COLUMN", help="Column of the second text of each example.")
@click.option("--label", required=True, metavar="COLUMN", help="Column of the true labels.")
@click.option(
    "--segment",
    metavar="COLUMN",
    help="Column of the segment, for an artifact that knows what segments are worth.",
)
@click.option(
    "--seconds",
    type=Finite(min=0),
    default=1.0,
    show_default=True,
    help="For measuring speed, twice; 0 leaves it out.",
)
@with_terminal
def command(
    terminal: Terminal,
    *,
    artifact: Path,
    file: Path,
    text: str,
    pair: str | None,
    label: str,
    segment: str | None,
    seconds: float,
) -> None:
    """Measure the artifact ARTIFACT on FILE: quality, calibration, speed, size and profit."""
    from payoff.economics.desk import load
    from payoff.economics.evaluate import evaluate
    from payoff.plan.booked_answers import booked_answers

    roles = {"pair": pair, "segment": segment}
    named = {role: column for role, column in roles.items() if column}
    dataset = Source(file, text, label, named).dataset()
    say_notes(terminal, dataset)
    with load(artifact) as desk, booked_answers(desk, artifact):
        apart = ", ".join(desk.policy.segment_values)
        if apart and segment is None:
            terminal.say(f"Segments with a worth of their own: {apart}; --segment tells them.")
        if segment is not None and not apart:
            terminal.say("--segment changes nothing: no segment has a worth of its own.")
        terminal.say(f"Evaluating on {len(dataset):,} rows of {dataset.source} …")
        facts = evaluate(desk, dataset, seconds=seconds).as_dict()

    def people() -> None:
        rows = [(name.replace("_", " "), _shown(value)) for name, value in facts.items()]
        terminal.table(("measure", "value"), rows, right=("value",))

    terminal.show(facts, people)


def _shown(value: object) -> str:
    """A figure as people read it; what was not measured says so."""
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict) and "currency" in value:
        return _money(value)
    return str(value)


def _money(value: dict[str, Any]) -> str:
    """``"2,361 USD (90 %: 2,300 USD to 2,420 USD)"``, or the amount alone.

    Example:
        >>> _money({"amount": 3.5, "low": 3.0, "high": 4.0, "level": 0.9, "currency": "EUR"})
        '3.50 EUR (90 %: 3.00 EUR to 4.00 EUR)'
    """
    amount, *bounds = (
        format_money(value[key], value["currency"])
        for key in ("amount", "low", "high")
        if key in value
    )
    return f"{amount} ({100 * value['level']:.0f} %: {' to '.join(bounds)})" if bounds else amount
