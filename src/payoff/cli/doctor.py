"""``payoff doctor``: whether this machine has what payoff needs."""

from __future__ import annotations

import click

from payoff.cli.findings import show_findings
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.findings import count_by_status


@click.command()
@click.option("--strict", is_flag=True, help="Exit with 1 where a check failed.")
@with_terminal
def command(terminal: Terminal, *, strict: bool) -> int:
    """Check this machine: Python, libraries, memory, disk, pretrained models, prices."""
    from payoff.apps.doctor import describe_machine, examine

    machine, findings = describe_machine(), examine()
    content = {
        "machine": machine,
        "counts": count_by_status(findings),
        "findings": [finding.as_dict() for finding in findings],
    }

    def people() -> None:
        terminal.line(" · ".join(f"{name} {value}" for name, value in machine.items()))
        terminal.line()
        show_findings(terminal, findings)

    terminal.show(content, people)
    return 1 if strict and any(finding.failed for finding in findings) else 0
