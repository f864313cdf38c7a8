"""What the last finished run of a project chose."""

from __future__ import annotations

import json
from pathlib import Path


def last_choice(runs: Path, name: str) -> str:
    """The recipe of its one model; empty where no run is finished, or a cascade was chosen.

    Args:
        runs: The folder of runs.
        name: The project's name.

    Example:
        >>> last_choice(Path("nowhere"), "support")
        ''
    """
    found = sorted(runs.glob(f"{name}-*/summary.json"), key=lambda file: file.stat().st_mtime)
    for file in reversed(found):
        told = json.loads(file.read_text("utf-8"))
        recipe = next((one["recipe"] for one in told["plans"] if one["status"] == "chosen"), None)
        if recipe and "compression" not in told:
            return str(recipe)
    return ""
