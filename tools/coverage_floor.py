"""Hold each package's coverage against a floor: ``coverage_floor.py REPORT.json [FLOOR]``.

Statements and branches are held apart, so that many plain lines cannot hide untaken branches.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

PACKAGES = ("core", "data", "economics", "evidence", "artifact", "learn")
FLOOR = 0.90


def shares(report: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Covered share of statements and of branches of each package in a coverage JSON report."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for name, file in report["files"].items():
        parts = PurePath(name.replace("\\", "/")).parts
        if "payoff" not in parts[:-1]:
            continue
        below = parts[parts.index("payoff") + 1 :]
        summary = file["summary"]
        figures = (
            summary["covered_lines"],
            summary["num_statements"],
            summary.get("covered_branches", 0),
            summary.get("num_branches", 0),
        )
        package = counts[below[0] if len(below) > 1 else ""]
        for place, figure in enumerate(figures):
            package[place] += figure
    return {
        package: (_share(lines, statements), _share(taken, branches))
        for package, (lines, statements, taken, branches) in counts.items()
    }


def below(
    covered: Mapping[str, tuple[float, float]], floor: float, packages: tuple[str, ...] = PACKAGES
) -> list[str]:
    """What is under the floor, as sentences; a package that was not measured is under it."""
    told: list[str] = []
    for package in packages:
        if package not in covered:
            told.append(f"{package}: not measured")
            continue
        for what, share in zip(("statements", "branches"), covered[package], strict=True):
            if share < floor:
                told.append(f"{package}: {share:.1%} of {what}, floor {floor:.0%}")
    return told


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def main(arguments: list[str]) -> int:
    """Print the coverage of each package; 1 where one is under the floor."""
    covered = shares(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    floor = float(arguments[1]) if len(arguments) > 1 else FLOOR
    figures = [f"{name} {covered[name][1]:.0%}" for name in PACKAGES if name in covered]
    print("Branch coverage: " + ", ".join(figures))
    failures = below(covered, floor)
    for failure in failures:
        print(f"Coverage is too low: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
