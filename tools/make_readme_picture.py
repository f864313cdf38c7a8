"""Draw the README's picture from the demo's run.

Run ``make demo`` first, then ``python tools/make_readme_picture.py``.

Writes ``docs/assets/plans.svg``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from payoff.plan.report.pictures import save

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Draw the plans of the newest run of the demo."""
    runs = sorted(
        (ROOT / "examples" / "questions").glob("runs/*/summary.json"),
        key=lambda path: path.stat().st_mtime,
    )
    if not runs:
        print("There is no run of the demo: run `make demo` first.", file=sys.stderr)
        return 2
    target = ROOT / "docs" / "assets" / "plans.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    save("frontier", json.loads(runs[-1].read_text("utf-8")), target, theme="light")
    print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
