"""Findings for people: a sign each, what to do, and rows to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from payoff.cli.terminal import Terminal
from payoff.core.findings import Finding, Status, count_by_status

SIGNS = {
    Status.PASSED: ("✓", "green"),
    Status.FAILED: ("✗", "red"),
    Status.NOT_APPLICABLE: ("–", "dim"),
    Status.NOT_CHECKED: ("?", "yellow"),
}
_ROWS_SHOWN = 3
_LONGEST_CELL = 60


def show_findings(terminal: Terminal, findings: Sequence[Finding]) -> None:
    """Print findings, those that failed with their rows, and how many of each there are."""
    from rich.text import Text

    for finding in findings:
        sign, style = SIGNS[finding.status]
        terminal.console.print(
            Text.assemble((f"{sign} ", style), f"{finding.code} {finding.title}")
        )
        if finding.detail and finding.status is not Status.PASSED:
            terminal.console.print(Text(f"    {finding.detail}"))
        if finding.failed:
            for row in finding.rows[:_ROWS_SHOWN]:
                terminal.console.print(Text(f"      {row_text(row)}", style="dim"))
            if finding.mend:
                terminal.console.print(Text(f"    → {finding.mend}", style="cyan"))
    terminal.line()
    terminal.line(summary(findings))


def summary(findings: Iterable[Finding]) -> str:
    """How many checks ended how, in one line.

    Example:
        >>> summary([Finding("PF151", "No text is empty", Status.PASSED)])
        '✓ 1 passed'
    """
    counts = count_by_status(findings)
    told = [f"{SIGNS[Status(status)][0]} {n} {status}" for status, n in counts.items() if n]
    return " · ".join(told) or "Nothing was checked."


def row_text(row: dict[str, Any]) -> str:
    """One example row in one line.

    Example:
        >>> row_text({"row": 17, "text": "a" * 90})[:24]
        'row 17 · text: aaaaaaaaa'
    """
    cells = [f"row {row['row']}"] if "row" in row else []
    for name, value in row.items():
        if name != "row":
            text = " ".join(str(value).split())
            short = text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
            cells.append(f"{name}: {short}")
    return " · ".join(cells)
