"""Where and how a benchmark's results are kept: one JSON line a result, as it comes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def machine() -> str:
    """Processor, cores and system, and the precision of trainings where it is not the full one."""
    from payoff.evidence.machine import this_machine

    here = this_machine()
    told = f"{here.cpu}, {here.cores} cores, {here.system}"
    if "torch" in sys.modules:
        from payoff.adapt.engine.precision import training_precision

        told += ", mixed precision" if training_precision() == "mixed" else ""
    return told


def commit() -> str:
    """The commit, with a mark where the source differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=HERE, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", "../src")
    return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def lines(path: Path) -> list[dict[str, Any]]:
    """All results so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def latest(path: Path) -> list[dict[str, Any]]:
    """The newest result of each key, in the order of the keys' first results."""
    how = {"result", "commit", "machine", "command"}
    found = {
        tuple((k, v) for k, v in sorted(one.items()) if k not in how): one for one in lines(path)
    }
    return list(found.values())


def append(path: Path, key: dict[str, Any], result: dict[str, Any], command: str) -> None:
    """Keep one result with what tells it apart, and what is needed to repeat it."""
    line = {**key, "result": result, "commit": commit(), "machine": machine(), "command": command}
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def is_done(path: Path, key: dict[str, Any]) -> bool:
    """Whether there is a result of this key for this commit."""
    wanted = {**key, "commit": commit()}
    return any(wanted.items() <= line.items() for line in lines(path))
