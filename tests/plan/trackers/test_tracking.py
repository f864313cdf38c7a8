"""What a tracker is told of a training, a sweep and a search; and what its failures do: nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.core.errors import AdaptError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan import options
from payoff.plan.search import search
from payoff.plan.trackers.tracking import Tracking
from payoff.plan.tuning.sweep import sweep
from payoff.plan.tuning.tune import tune

pytestmark = pytest.mark.usefixtures("plug_in")


class Said(Silent):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


def notes(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "notes.jsonl").read_text("utf-8").splitlines()]


def figures(lines: list[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(line["step"], line["value"]) for line in lines if line.get("metric") == name]


def test_a_training_is_written_down(
    requests: Dataset, backbones: tuple[str, str], tmp_path: Path
) -> None:
    facts = {"data": requests.fingerprint}
    settings = {"depth": 1, "epochs": 3, "learning_rate": 1e-4}
    with Tracking("notes", tmp_path, facts=facts) as listener:
        done = tune(
            requests,
            "fine-tune",
            backbone=backbones[0],
            settings=settings,
            runs=tmp_path,
            progress=listener,
        )
    lines = notes(tmp_path)
    params = lines[0]["params"]
    assert lines[0]["start"] == done.candidate.name
    assert params["recipe"] == "fine-tune"
    assert (params["depth"], params["epochs"], params["learning_rate"]) == (1, 3.0, 1e-4)
    assert (params["seed"], params["data"]) == (0, requests.fingerprint)
    assert params["payoff"]
    loss = figures(lines, "training/loss")
    steps = 3 * int(np.ceil(done.n_train / 32))
    assert [step for step, _ in loss] == list(range(1, steps + 1))
    assert all(np.isfinite(value) for _, value in loss)
    assert [s for s, _ in figures(lines, "validation/accuracy")] == [34, 100]
    accuracy, log_loss = (
        figures(lines, f"validation/{n}")[-1][1] for n in ("accuracy", "log_loss")
    )
    assert accuracy == pytest.approx(done.evidence.quality.accuracy, abs=0.02)
    assert log_loss == pytest.approx(done.evidence.quality.log_loss, abs=1e-3)
    assert figures(lines, "validation/training_s")[-1][1] == pytest.approx(done.evidence.training_s)
    assert lines[-2]["artifact"] == done.evidence.as_dict()
    assert lines[-1]["end"] == "finished"
    assert not listener.finding.failed


def test_every_trial_of_a_sweep_has_an_entry(requests: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    with Tracking("notes", tmp_path) as listener:
        done = sweep(
            requests, "bag-of-words", trials=3, minutes=1, runs=tmp_path, progress=listener
        )
    lines = notes(tmp_path)
    started = [line["start"] for line in lines if "start" in line]
    assert started == [one.candidate.name for one in done.tried]
    assert [line["end"] for line in lines if "end" in line] == ["finished"] * 3
    kept = [line for line in lines if "artifact" in line]
    assert [line["run"] for line in kept] == [done.best.candidate.name]
    assert len(figures(lines, "validation/log_loss")) == 3, "and none of them twice"


def test_every_candidate_of_a_search_has_an_entry(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(options, "ways", lambda spec: [])
    with Tracking("notes", tmp_path) as listener:
        search(
            requests,
            worth,
            traffic=Traffic(40_000),
            minutes=2,
            runs=tmp_path,
            backbones=(backbones[0],),
            only=("fine-tune", "frozen-head"),
            progress=listener,
        )
    lines = notes(tmp_path)
    started = [line["start"] for line in lines if "start" in line]
    ends = {line["run"]: line["end"] for line in lines if "end" in line}
    assert len(started) == len(set(started)) > 3, "one entry, paused or not"
    assert set(ends) == set(started)
    assert set(ends.values()) <= {"finished", "stopped"}
    kept = {line["run"] for line in lines if "artifact" in line}
    assert len(kept) == 2, "the best of each recipe is measured as served"
    tuned = [line["run"] for line in lines if line.get("metric") == "training/loss"]
    assert tuned
    assert all(run.startswith("fine-tune") for run in tuned)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails-at-metrics", "ConnectionError: the server is away"),
        ("fails-at-start", "PermissionError"),
        ("fails-at-end", "OSError: no space"),
    ],
)
def test_a_tracker_that_fails_is_told_once_and_dropped(
    requests: Dataset, tmp_path: Path, name: str, told: str
) -> None:
    said = Said()
    with Tracking(name, tmp_path, progress=said) as listener:
        done = tune(requests, "bag-of-words", runs=tmp_path, progress=listener)
    assert done.evidence.quality.accuracy > 0.5
    assert [m for m in said.messages if "PF472" in m] == [
        f"PF472 tracker '{name}' failed and is left out: {told}"
    ]
    assert listener.finding.failed
    assert listener.finding.detail == f"{name}: {told}"


def test_how_a_training_ended_is_written_down(
    requests: Dataset, backbones: tuple[str, str], tmp_path: Path
) -> None:
    def train(folder: str, progress: Silent, **settings: Any) -> None:
        with Tracking("notes", tmp_path / folder, progress=progress) as listener:
            tune(
                requests,
                "fine-tune",
                backbone=backbones[0],
                settings=settings,
                runs=tmp_path,
                progress=listener,
            )

    class Kills(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("killed", Kills())
    assert notes(tmp_path / "killed")[-1]["end"] == "killed"
    with pytest.raises(AdaptError, match="PF406"):
        train("failed", Silent(), batch_texts=0)
    assert notes(tmp_path / "failed")[-1]["end"] == "failed"


def test_an_unknown_tracker_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(AdaptError, match=r"PF401 tracker 'note'.*Did you mean 'notes'"):
        Tracking("note", tmp_path)
