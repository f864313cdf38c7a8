"""A training that is killed within a rung goes on within it, to the very same model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan import keeping
from payoff.plan.keeping import Keeper
from payoff.plan.runs import Run
from payoff.plan.tuning.tune import Trial, tune

KILLED = """
import json, os, signal, sys
import torch
from tests.plan.conftest import dataset_of
from payoff.adapt.recipes.tuned import TuneAttempt
from payoff.plan import keeping
from payoff.plan.tuning.tune import tune

torch.set_num_threads(1)
keeping.EVERY_S = keeping._LEAST_WORK = 0.0
asked = json.load(sys.stdin)
write = TuneAttempt.keep
written = 0

def keep(attempt, folder):
    global written
    written += 1
    if written == asked["writing"]:
        (folder / "training.pt").write_bytes(b"half of i")
        os.kill(os.getpid(), signal.SIGKILL)
    write(attempt, folder)

TuneAttempt.keep = keep

class Listener:
    steps = 0
    def say(self, message):
        pass
    def step(self, what, done, total):
        self.steps += what == "fine-tuning"
        if self.steps == asked["step"]:
            os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    tune(dataset_of([30, 25, 25, 20]), asked["recipe"], backbone=asked["backbone"],
         settings=asked["settings"], runs=asked["runs"], progress=Listener())
"""
SETTINGS = {
    "fine-tune": {"epochs": 12},
    "averaged": {"epochs": 8},
    "simcse": {"epochs": 20},
    "adalora": {"epochs": 12},
}


class Counting(Silent):
    """Counts the steps of fine-tuning."""

    def __init__(self) -> None:
        self.steps = 0
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def step(self, what: str, done: float, total: float) -> None:
        self.steps += what == "fine-tuning"


@pytest.fixture(scope="module")
def few() -> Dataset:
    from tests.plan.conftest import dataset_of

    return dataset_of([30, 25, 25, 20])


def go_on(
    few: Dataset, recipe: str, backbone: str, runs: Path
) -> tuple[Trial, Counting, dict[str, bytes]]:
    listener = Counting()
    settings = SETTINGS[recipe]
    done = tune(few, recipe, backbone=backbone, settings=settings, runs=runs, progress=listener)
    return done, listener, {p.name: p.read_bytes() for p in done.folder.iterdir()}


def killed(recipe: str, backbone: str, runs: Path, repository: Path, **asked: int) -> None:
    whole: dict[str, Any] = {"step": -1, "writing": -1, "recipe": recipe, "backbone": backbone}
    whole |= {"settings": SETTINGS[recipe], "runs": str(runs)} | asked
    ended = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=json.dumps(whole),
        text=True,
        capture_output=True,
        cwd=repository,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_training_that_is_killed_within_a_rung_ends_in_the_same_model(
    recipe: str, few: Dataset, backbones: tuple[str, str], tmp_path: Path, repository: Path
) -> None:
    whole, counted, model = go_on(few, recipe, backbones[0], tmp_path / "whole")
    runs = tmp_path / "killed"
    at = round(0.6 * counted.steps)  # of the second rung
    killed(recipe, backbones[0], runs, repository, step=at)
    kept = next(runs.glob("trained-*/candidates/*-unfinished"))
    assert json.loads((kept / "kept.json").read_text("utf-8"))["share"] == 1.0
    after, again, found = go_on(few, recipe, backbones[0], runs)
    assert any(said.startswith("going on within") for said in again.said)
    assert again.steps == counted.steps - at + 1, "the step at which it was killed is done again"
    assert found == model
    assert after.evidence.quality == whole.evidence.quality
    assert not list(runs.glob("trained-*/candidates/*-unfinished"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_while_it_writes_it_goes_on_from_the_state_before(
    few: Dataset, backbones: tuple[str, str], tmp_path: Path, repository: Path
) -> None:
    _, counted, model = go_on(few, "fine-tune", backbones[0], tmp_path / "whole")
    runs = tmp_path / "killed"
    killed("fine-tune", backbones[0], runs, repository, writing=9)
    folder = next(runs.glob("trained-*")) / "candidates"
    assert len(list(folder.glob(".*-unfinished.*"))) == 1, "what was half written"
    _, again, found = go_on(few, "fine-tune", backbones[0], runs)
    assert again.steps == counted.steps - 8
    assert found == model
    assert not list(folder.glob("*-unfinished")) + list(folder.glob(".*"))


class Slow:
    """An attempt that takes a second a step, and notes what was asked of it."""

    def __init__(self, listener: Keeper | None = None, seconds: float = 1.0) -> None:
        self.listener = listener
        self.seconds = seconds
        self.done = 0.0
        self.kept: list[float] = []

    def advance(self, share: float) -> None:
        while self.done < share - 1e-9:
            NOW[0] += self.seconds
            self.done += 0.01
            if self.listener:
                self.listener.step("fine-tuning", self.done, 1.0)
                self.listener.step("encoding texts", self.done, 1.0)

    def keep(self, folder: Path) -> None:
        self.kept.append(round(self.done, 2))
        NOW[0] += WRITING[0]
        (folder / "done").write_text(str(self.done))

    def take_up(self, folder: Path) -> None:
        self.done = float((folder / "done").read_text())

    def logits(self, rows: Any) -> Any:
        raise NotImplementedError

    save = restore = take_up


NOW, WRITING = [0.0], [0.0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    NOW[0] = WRITING[0] = 0.0
    monkeypatch.setattr(keeping.time, "monotonic", lambda: NOW[0])
    return Run.open(tmp_path, "desk", learning={"data": "abc"}, choosing={})


def test_states_are_kept_every_thirty_seconds(run: Run) -> None:
    noted: list[float] = []
    keeper = Keeper(run, "a", Silent(), noted=lambda: noted.append(NOW[0]))
    attempt = Slow(keeper)
    keeper.advance(attempt, 1.0)
    assert attempt.kept == [0.3, 0.6, 0.9]
    assert noted == [30.0, 60.0, 90.0]
    keeper.step("fine-tuning", 1.0, 1.0)
    assert len(attempt.kept) == 3, "nothing is kept of what does not train"


def test_what_is_slow_to_write_is_written_less_often(run: Run) -> None:
    WRITING[0] = 2.0
    keeper = Keeper(run, "a", Silent())
    attempt = Slow(keeper)
    keeper.advance(attempt, 1.0)
    assert attempt.kept == [0.3, 0.7], "30 s, then 20 times the 2 s"


def test_the_seconds_of_earlier_processes_are_counted_once(run: Run) -> None:
    first = Keeper(run, "a", Silent())
    first.advance(Slow(first), 0.5)
    second = Keeper(run, "a", Silent())
    attempt = Slow(second)
    second.advance(attempt, 0.5)
    assert (second.earlier_s, attempt.kept) == (30.0, [])
    second.advance(attempt, 1.0)
    assert second.earlier_s == 0.0, "what is kept was on the way to another rung"
    assert attempt.kept == [0.8]
    second.forget()
    third = Keeper(run, "a", Silent())
    third.advance(Slow(third), 0.2)
    assert third.earlier_s == 0.0


def test_what_cannot_be_kept_is_trained_all_the_same(run: Run) -> None:
    class Whole:
        done = 0.0

        def advance(self, share: float) -> None:
            self.done = share

    attempt: Any = Whole()
    Keeper(run, "a", Silent()).advance(attempt, 1.0)
    assert attempt.done == 1.0


def test_what_else_the_listener_hears_is_passed_on(run: Run) -> None:
    class Hears(Silent):
        told: tuple[str, float] | None = None

        def measured(self, name: str, value: float, step: int) -> None:
            self.told = (name, value)

    listener = Hears()
    keeper: Any = Keeper(run, "a", listener)
    keeper.measured("training/loss", 0.5, 1)
    assert listener.told == ("training/loss", 0.5)
    assert getattr(Keeper(run, "a", Silent()), "measured", None) is None
