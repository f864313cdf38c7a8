"""Two trainings at once, told to trackers of one kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from payoff.plan.trackers.tracker import Tracker

PARAMS = {"recipe": "fine-tune", "depth": 1, "rate": 1e-4, "data": "abc"}
STEPS = 120
EVIDENCE = {"quality": {"accuracy": 0.9}, "label": "退款"}


def two_trainings(make: Callable[[Path], Tracker], folder: Path) -> None:
    """One that finishes and one that fails, told in turn."""
    note = folder / "evidence.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(EVIDENCE, ensure_ascii=False), "utf-8")
    one, two = make(folder), make(folder)
    one.start("fine-tune one depth=1", PARAMS)
    two.start("fine-tune two depth=1", PARAMS)
    for step in range(1, STEPS + 1):
        one.metric("training/loss", 1 / step, step)
        two.metric("training/loss", 2 / step, step)
    one.metric("validation/accuracy", 0.8, 34)
    one.metric("validation/accuracy", 0.9, 100)
    one.artifact(note)
    one.end("finished")
    two.end("failed")
