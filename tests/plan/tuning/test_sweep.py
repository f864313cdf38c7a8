"""Settings looked for, within trials and minutes, killed and gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plan.conftest import dataset_of

from payoff.adapt.recipes.fine_tune import FineTune
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, MachineError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan.tuning import sweep as module
from payoff.plan.tuning.sweep import Sweep, Swept, sweep

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")

FIXED = {"epochs": 2.0}
TRIALS = 9


class Said(Silent):
    """What was told."""

    def __init__(self, *, kill_at: int = -1) -> None:
        self.messages: list[str] = []
        self.kill_at = kill_at
        self.steps = 0

    def say(self, message: str) -> None:
        self.messages.append(message)

    def step(self, what: str, done: float, total: float) -> None:
        if what == "fine-tuning":
            self.steps += 1
            if self.steps == self.kill_at:
                raise KeyboardInterrupt


def swept(requests: Dataset, backbone: str, runs: Path, **options: Any) -> Sweep:
    usual = {"trials": TRIALS, "minutes": 3.0, "settings": FIXED}
    return sweep(requests, "fine-tune", backbone=backbone, runs=runs, **usual | options)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def done(requests: Dataset, backbones: tuple[str, str], place: Path) -> Sweep:
    return swept(requests, backbones[0], place / "whole")


def trials(done: Sweep) -> list[tuple[str, str, float | None]]:
    return [(one.candidate.name, one.status, one.loss) for one in done.tried]


def test_the_usual_settings_come_first_and_others_differ(done: Sweep) -> None:
    assert len(done.tried) == TRIALS
    first = done.tried[0]
    assert dict(first.candidate.settings) == {"depth": 0, "epochs": 2.0, "tuned": 0.75}
    assert first.status == "trained"
    others = {one.candidate.settings for one in done.tried[1:]}
    assert len(others) == TRIALS - 1
    assert {dict(s)["epochs"] for s in others} == {2.0}, "what is given stays"
    assert "epochs" not in done.space
    assert {"depth", "learning_rate", "smoothing", "batch_texts"} <= done.space.keys()
    for one in done.tried:
        for name, value in one.candidate.settings:
            assert name == "epochs" or done.space[name].holds(value)


def test_what_is_chosen_is_what_the_rows_tell(done: Sweep) -> None:
    full = [one for one in done.tried if one.status == "trained"]
    stopped = [one for one in done.tried if one.status == "stopped"]
    assert len(full) + len(stopped) == TRIALS
    assert all(one.share < 1 and "median" in one.why for one in stopped)
    ahead = min(full, key=lambda one: one.loss or 0.0)
    assert done.gain == pytest.approx((done.tried[0].loss or 0) - (ahead.loss or 0), abs=1e-12)
    assert done.left_usual is (done.gain > 2 * done.gain_error)
    chosen = ahead if done.left_usual else done.tried[0]
    assert done.best.candidate == chosen.candidate
    assert done.best.evidence.quality.log_loss == pytest.approx(chosen.loss, abs=1e-3)
    assert done.best.report is None
    told = done.as_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["trials"][0]["settings"] == {"depth": 0, "epochs": 2.0, "tuned": 0.75}


def test_a_finished_sweep_is_repeated_without_training(
    done: Sweep, requests: Dataset, backbones: tuple[str, str], place: Path
) -> None:
    listener = Said()
    again = swept(requests, backbones[0], place / "whole", progress=listener)
    assert trials(again) == trials(done)
    assert listener.steps == 0


def test_the_same_seed_proposes_the_same_and_a_killed_sweep_goes_on(
    done: Sweep, requests: Dataset, backbones: tuple[str, str], place: Path
) -> None:
    for kill_at in (4, 40):
        with pytest.raises(KeyboardInterrupt):
            swept(requests, backbones[0], place / "cut", progress=Said(kill_at=kill_at))
    rest = swept(requests, backbones[0], place / "cut")
    assert trials(rest) == trials(done)
    assert rest.best.candidate == done.best.candidate


KILLED = """
import json, os, signal, sys
from pathlib import Path
import torch
from tests.plan.conftest import dataset_of
from payoff.core.progress import Silent
from payoff.plan.tuning.sweep import sweep

torch.set_num_threads(1)
asked = json.load(sys.stdin)

class Kills(Silent):
    steps = 0
    def step(self, what, done, total):
        self.steps += what == "fine-tuning"
        if self.steps == 30:
            os.kill(os.getpid(), signal.SIGKILL)

sweep(dataset_of([70, 60, 60, 50]), "fine-tune", trials=9, minutes=3, settings={"epochs": 2.0},
      progress=Kills(), **asked)
"""


def test_a_sweep_that_was_shot_goes_on(
    done: Sweep, backbones: tuple[str, str], place: Path, repository: Path, requests: Dataset
) -> None:
    asked = json.dumps({"backbone": backbones[0], "runs": str(place / "shot")})
    ran = subprocess.run(
        [sys.executable, "-c", KILLED], input=asked, text=True, check=False, cwd=repository
    )
    assert ran.returncode == -signal.SIGKILL
    listener = Said()
    rest = swept(requests, backbones[0], place / "shot", progress=listener)
    assert trials(rest) == trials(done)
    assert not listener.messages[0].startswith("trial 0"), "what had ended is not tried again"


def test_a_damaged_study_is_told(requests: Dataset, tmp_path: Path) -> None:
    sweep(requests, "bag-of-words", trials=1, minutes=1, runs=tmp_path)
    study = next(tmp_path.glob("sweep-*/study.db"))
    study.write_bytes(b"not a database, " * 64)
    with pytest.raises(MachineError, match=r"PF802 .*study\.db.*Remove the file"):
        sweep(requests, "bag-of-words", trials=1, minutes=1, runs=tmp_path)


def test_another_seed_proposes_others(
    done: Sweep, requests: Dataset, backbones: tuple[str, str], place: Path
) -> None:
    other = swept(requests, backbones[0], place / "seed", seed=1, trials=3)
    assert other.tried[0].candidate == done.tried[0].candidate
    assert other.tried[1].candidate != done.tried[1].candidate


def test_more_trials_go_on_with_the_study(requests: Dataset, tmp_path: Path) -> None:
    few = sweep(requests, "bag-of-words", trials=2, minutes=1, runs=tmp_path)
    more = sweep(requests, "bag-of-words", trials=4, minutes=1, runs=tmp_path)
    assert trials(more)[:2] == trials(few)
    assert [one.number for one in more.tried] == [0, 1, 2, 3]


def test_time_that_is_over_is_said(
    requests: Dataset, backbones: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AdaptError, match=r"PF403 .*fine-tune.*s are left\. Give more minutes"):
        swept(requests, backbones[0], tmp_path, minutes=1e-5)

    class Long(FineTune):
        def seconds(self, candidate: Candidate, bench: Workbench) -> float:
            return 1e4 if len(candidate.settings) > 3 else 0.1

    monkeypatch.setattr(module, "recipe_named", lambda name: Long())
    listener = Said()
    done = swept(requests, backbones[0], tmp_path, progress=listener)
    assert [one.status for one in done.tried] == ["trained", *["not run"] * 5]
    assert "it would take about 10000 s" in done.tried[-1].why
    assert any("the minutes are over" in message for message in listener.messages)
    assert done.best.candidate == done.tried[0].candidate
    assert done.sentence == (
        "None of 1 trained trials has a lower log loss than the usual settings."
    )


def test_a_trial_that_fails_is_told_and_the_rest_goes_on(
    requests: Dataset, backbones: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaks(FineTune):
        def start(self, candidate: Candidate, bench: Workbench) -> TuneAttempt:
            if len(candidate.settings) > 3:
                raise AdaptError("PF402", "step 3", "the loss is nan")
            return super().start(candidate, bench)

    monkeypatch.setattr(module, "recipe_named", lambda name: Breaks())
    monkeypatch.setattr("payoff.plan.cascades.together.recipe_named", lambda name: Breaks())
    done = swept(requests, backbones[0], tmp_path, trials=3)
    assert [one.status for one in done.tried] == ["trained", "failed", "failed"]
    assert done.tried[1].why.startswith("PF402 step 3: the loss is nan")


class Odd(FineTune):
    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        return {"epochs": Range(100.0, 200.0)}


@pytest.mark.parametrize(
    ("recipe", "settings", "told"),
    [
        ("zero-shot", {}, "it says no range"),
        ("bag-of-words", {"C": 0.3}, "no setting left"),
        ("fine-tune", {"dept": 1}, "Did you mean 'depth'"),
        ("odd", {}, "usual value .* is not within its range"),
    ],
)
def test_what_cannot_be_swept_is_told(
    requests: Dataset,
    recipe: str,
    settings: dict[str, Any],
    told: str,
    *,
    backbones: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if recipe == "odd":
        monkeypatch.setattr(module, "recipe_named", lambda name: Odd())
    with pytest.raises(AdaptError, match=f"PF406.*{told}"):
        sweep(requests, recipe, settings=settings, backbone=backbones[0], runs=tmp_path, trials=2)


def test_the_usual_stay_where_the_difference_is_chance(
    requests: Dataset, backbones: tuple[str, str], tmp_path: Path
) -> None:
    """Restated by hand: pairs of rows, two standard errors."""
    noisy = dataset_of([40, 40, 40, 40], noise=0.3)
    done = sweep(noisy, "frozen-head", backbone=backbones[0], trials=4, minutes=1, runs=tmp_path)
    folder = next(tmp_path.glob("trained-*")) / "candidates"
    kept = {p.name: np.load(p / "validation.npy") for p in folder.iterdir()}
    assert len(kept) == 4
    assert {one.candidate.key for one in done.tried} == kept.keys()
    assert done.left_usual is (done.gain > 2 * done.gain_error)
    assert (done.best.candidate == done.tried[0].candidate) is not done.left_usual


def test_plain_values() -> None:
    one = Swept(3, Candidate("r", "", (("a", 1),)), "stopped", "behind", 0.34, 2.0, 0.5, 0.9)
    assert one.as_dict() == {
        "number": 3,
        "settings": {"a": 1},
        "status": "stopped",
        "why": "behind",
        "share": 0.34,
        "seconds": 2.0,
        "log_loss": 0.5,
        "accuracy": 0.9,
    }
