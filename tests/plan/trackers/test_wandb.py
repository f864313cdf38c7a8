"""Weights & Biases, offline: what was told is read back from its files."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.plan.trackers.training import EVIDENCE, PARAMS, STEPS, two_trainings

from payoff.plan.trackers import tracker_named

pytest.importorskip("wandb", reason="the extra 'wandb' is not installed")

NO_END, PATIENCE_S = -1, 30.0
BLOCK, HEADER, WHOLE, FIRST, LAST = 32768, 7, 1, 2, 4


def records(path: Path) -> Iterator[Any]:
    """Messages of a ``.wandb`` file: LevelDB's log format after a head of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, parts = path.read_bytes(), HEADER, b""
    assert content.startswith(b":W&B")
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        piece = content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        parts = piece if kind in (WHOLE, FIRST) else parts + piece
        if kind in (WHOLE, LAST):
            yield Record.FromString(parts)


def read(path: Path) -> tuple[str, dict[str, Any], list[dict[str, Any]], int]:
    """Name, settings, logged figures and exit code of a run."""
    name, settings, logged, code = "", {}, [], NO_END
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            name = record.run.display_name
            settings |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
        elif kind == "history":
            items = record.history.item
            logged.append(
                {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
            )
        elif kind == "exit":
            code = record.exit.exit_code
    return name, settings, logged, code


def read_whole(path: Path) -> tuple[str, dict[str, Any], list[dict[str, Any]], int]:
    """The same once its end is there: a process of wandb's own writes it, some time after."""
    until = time.monotonic() + PATIENCE_S
    found = read(path)
    while found[-1] == NO_END and time.monotonic() < until:
        time.sleep(0.05)
        found = read(path)
    return found


def test_what_was_told_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    two_trainings(tracker_named("wandb"), tmp_path)
    folders = list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    runs = {}
    for folder in folders:
        name, *facts = read_whole(next(folder.glob("run-*.wandb")))
        runs[name] = (folder, *facts)
    for name, first, ended in (("one", 1.0, 0), ("two", 2.0, 1)):
        folder, settings, logged, code = runs[f"fine-tune {name} depth=1"]
        assert PARAMS.items() <= settings.items()
        assert code == ended
        loss = {r["training/step"]: r["training/loss"] for r in logged if "training/loss" in r}
        assert loss == pytest.approx({step: first / step for step in range(1, STEPS + 1)})
        judged = [(r["validation/step"], r["validation/accuracy"]) for r in logged[STEPS:]]
        assert judged == ([(34, 0.8), (100, 0.9)] if name == "one" else [])
        kept = folder / "files" / "evidence.json"
        assert kept.exists() is (name == "one")
        if name == "one":
            assert json.loads(kept.read_text("utf-8")) == EVIDENCE
