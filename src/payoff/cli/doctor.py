"""``payoff doctor``: whether this machine has what payoff needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from payoff.cli.findings import show_findings
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.findings import count_by_status

if TYPE_CHECKING:
    from payoff.adapt.backbones.health import BackboneCost


@click.command()
@click.option(
    "--measure", is_flag=True, help="Measure how fast each installed model encodes (2 s each)."
)
@click.option("--strict", is_flag=True, help="Exit with 1 where a check failed.")
@with_terminal
def command(terminal: Terminal, *, measure: bool, strict: bool) -> int:
    """Check this machine: Python, libraries, memory, disk, pretrained models, prices."""
    from payoff.adapt.backbones.health import backbone_costs, examine_backbones
    from payoff.apps.doctor import describe_machine, examine

    machine, findings = describe_machine(), [*examine(), *examine_backbones()]
    costs = backbone_costs(measure=measure, progress=terminal)
    content = {
        "machine": machine,
        "counts": count_by_status(findings),
        "findings": [finding.as_dict() for finding in findings],
        "backbones": [cost.as_dict() for cost in costs],
    }

    def people() -> None:
        terminal.line(" · ".join(f"{name} {value}" for name, value in machine.items()))
        terminal.line()
        show_findings(terminal, findings)
        terminal.line()
        _show_backbones(terminal, costs)

    terminal.show(content, people)
    return 1 if strict and any(finding.failed for finding in findings) else 0


def _show_backbones(terminal: Terminal, costs: Sequence[BackboneCost]) -> None:
    """Print what each pretrained model costs here, and the command where one is missing."""
    rows = [
        (
            cost.backbone.name,
            f"{cost.backbone.n_parameters / 1e6:.1f}",
            f"{cost.size_bytes / 1e6:.0f}",
            f"{cost.speed.texts_per_s:,.0f}" if cost.speed else "not measured",
            "yes" if cost.installed else cost.mend,
        )
        for cost in costs
    ]
    columns = ("model", "weights, M", "on disk, MB", "texts/s here", "installed")
    terminal.table(columns, rows, right=columns[1:4])
    if any(cost.installed and cost.speed is None for cost in costs):
        terminal.line("`payoff doctor --measure` measures texts/s of those that are installed.")
