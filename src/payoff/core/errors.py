"""Every error that payoff raises on purpose, in one tree.

    PayoffError                      code, where, found, expected, mend
    ├── DataError          PF1xx     a table or a text that cannot be used
    ├── ProjectError       PF2xx     payoff.toml, payoff values, traffic
    ├── BackboneError      PF3xx     pretrained weights
    ├── AdaptError         PF4xx     recipes, training, export
    ├── ArtifactError      PF5xx     NAME.payoff
    ├── EconomicsError     PF6xx     prices, costs, forecasts
    ├── ServiceError       PF7xx     HTTP, journal
    ├── MachineError       PF8xx     disk, network, ports, missing extras, interruption
    └── Problems                     several of the above, told together

The hundreds digit of a code names its class; `codes.toml` beside this file explains each code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class PayoffError(Exception):
    """An expected failure that tells where it is, what was found and how to mend it.

    Args:
        code: Stable identifier such as ``"PF203"``, listed in ``codes.toml``.
        where: File, key, row or step that is wrong, as the user would name it.
        found: What was found there.
        expected: What would have been right; empty where ``found`` says it.
        mend: What the user can do, as an instruction; may be a command line.

    Example:
        >>> print(DataError("PF101", "tickets.csv", "no such file", mend="Check the path."))
        PF101 tickets.csv: no such file. Check the path.
    """

    def __init__(
        self, code: str, where: str, found: str, *, expected: str = "", mend: str = ""
    ) -> None:
        super().__init__(code, where, found)
        self.code = code
        self.where = where
        self.found = found
        self.expected = expected
        self.mend = mend

    def __str__(self) -> str:
        parts = [f"{self.code} {self.where}: {self.found}"]
        if self.expected:
            parts.append(f" (expected {self.expected})")
        parts.append("." if not parts[-1].endswith((".", "?", "!")) else "")
        if self.mend:
            parts.append(f" {self.mend}")
        return "".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The same facts for ``--json`` and for HTTP bodies."""
        return {
            "code": self.code,
            "where": self.where,
            "found": self.found,
            "expected": self.expected,
            "mend": self.mend,
        }


class DataError(PayoffError):
    """A table or a text cannot be used (PF1xx)."""


class ProjectError(PayoffError):
    """The project file, a payoff or a traffic figure is wrong (PF2xx)."""


class BackboneError(PayoffError):
    """Pretrained weights are unknown, missing or altered (PF3xx)."""


class AdaptError(PayoffError):
    """Training, compressing or exporting failed (PF4xx)."""


class ArtifactError(PayoffError):
    """An artifact is missing, altered or of an unknown format (PF5xx)."""


class EconomicsError(PayoffError):
    """A price, a cost or a forecast cannot be computed (PF6xx)."""


class ServiceError(PayoffError):
    """A request to the service, or its journal, failed (PF7xx)."""


class MachineError(PayoffError):
    """The machine lacks something: disk, network, a port, an extra (PF8xx)."""


class Problems(PayoffError):
    """All that is wrong with one input, told at once rather than one by one.

    Example:
        >>> a = ProjectError("PF202", "payoff.toml [data]", "key 'txt' is unknown")
        >>> b = ProjectError("PF203", "payoff.toml [value]", "'wrong' is missing")
        >>> print(Problems([a, b]))
        2 problems:
          PF202 payoff.toml [data]: key 'txt' is unknown.
          PF203 payoff.toml [value]: 'wrong' is missing.
    """

    def __init__(self, problems: Iterable[PayoffError]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(
            first.code, first.where, first.found, expected=first.expected, mend=first.mend
        )

    def __reduce__(self) -> tuple[type[Problems], tuple[tuple[PayoffError, ...]]]:
        return Problems, (self.problems,)  # to pass from process to process

    def __str__(self) -> str:
        lines = [f"{len(self.problems)} problems:"]
        lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The first problem's facts, and all of them under ``problems``."""
        return super().as_dict() | {"problems": [p.as_dict() for p in self.problems]}


def raise_all(problems: Iterable[PayoffError]) -> None:
    """Raise what was collected: nothing, the one problem, or `Problems` of all.

    Example:
        >>> raise_all([])
    """
    collected = tuple(problems)
    if len(collected) == 1:
        raise collected[0]
    if collected:
        raise Problems(collected)


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """``"Did you mean 'refund'?"``, or an empty string where nothing is near.

    Example:
        >>> did_you_mean("refnd", ["billing", "refund"])
        "Did you mean 'refund'?"
    """
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else ""
