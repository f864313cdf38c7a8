"""Findings: what a check saw, with "could not check" never looking like "fine"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result.

    Args:
        code: Stable identifier of the check, listed in ``codes.toml`` (``"PF151"``).
        title: What is checked, as a statement that is true when it passes.
        status: How it ended.
        detail: What was seen, in one sentence with its figures.
        mend: What to do about it; empty where it passed.
        rows: Example rows to look at: ``{"row": 17, "text": …, …}``.
        n_affected: How many rows, labels or prices are concerned.

    Example:
        >>> Finding("PF151", "No text is empty", Status.FAILED, "2 of 90 texts").failed
        True
    """

    code: str
    title: str
    status: Status
    detail: str = ""
    mend: str = ""
    rows: tuple[dict[str, Any], ...] = field(default=())
    n_affected: int = 0

    @property
    def failed(self) -> bool:
        """Whether the check found something to mend."""
        return self.status is Status.FAILED

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values for JSON."""
        return {
            "code": self.code,
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            "mend": self.mend,
            "n_affected": self.n_affected,
            "rows": [dict(row) for row in self.rows],
        }


def count_by_status(findings: Iterable[Finding]) -> dict[str, int]:
    """How many checks ended in each status, all four named.

    Example:
        >>> count_by_status([Finding("PF151", "t", Status.PASSED)])["passed"]
        1
    """
    counts = {status.value: 0 for status in Status}
    for finding in findings:
        counts[finding.status.value] += 1
    return counts
