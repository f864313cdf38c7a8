from __future__ import annotations

import pytest

from payoff.cli.findings import row_text, show_findings, summary
from payoff.cli.terminal import Terminal
from payoff.core.findings import Finding, Status

FINDINGS = [
    Finding("PF151", "No text is empty", Status.PASSED, "all 90"),
    Finding(
        "PF152",
        "No text is repeated",
        Status.FAILED,
        "4 of 90",
        "Keep one [of each].",
        rows=tuple({"row": n, "text": f"text {n}"} for n in range(1, 6)),
    ),
    Finding("PF161", "There is a test set", Status.NOT_APPLICABLE, "none was given"),
    Finding("PF162", "No label looks wrong", Status.NOT_CHECKED, "not asked for"),
]


def test_each_status_looks_different(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings(Terminal(), FINDINGS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✓ PF151 No text is empty"
    assert lines[1:4] == [
        "✗ PF152 No text is repeated",
        "    4 of 90",
        "      row 1 · text: text 1",
    ]
    assert "    → Keep one [of each]." in lines
    assert "– PF161 There is a test set" in lines
    assert "? PF162 No label looks wrong" in lines
    assert sum(line.startswith("      row") for line in lines) == 3
    assert lines[-1] == "✓ 1 passed · ✗ 1 failed · – 1 not applicable · ? 1 not checked"


def test_nothing_checked_does_not_look_fine() -> None:
    assert summary([]) == "Nothing was checked."


def test_a_row_is_one_line() -> None:
    assert row_text({"row": 3, "text": "a\nb\tc", "label": "x" * 70}) == (
        f"row 3 · text: a b c · label: {'x' * 59}…"
    )
