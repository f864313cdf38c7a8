"""A search that is killed, and begun again, ends where it would have ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan import options
from payoff.plan.labels import label_study
from payoff.plan.plan import Plan
from payoff.plan.search import search

KILLED = """
import json, os, signal, sys
import torch
from pathlib import Path
from tests.plan.conftest import dataset_of
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan import options
from payoff.plan.search import search

torch.set_num_threads(1)
options.ways = lambda spec: []
asked = json.load(sys.stdin)

class Listener:
    steps = 0
    def say(self, message):
        if asked["at"] == "measuring" and message.startswith("measuring"):
            os.kill(os.getpid(), signal.SIGKILL)
    def step(self, what, done, total):
        self.steps += what == "fine-tuning"
        if self.steps == asked["at"]:
            os.kill(os.getpid(), signal.SIGKILL)

worth = Payoff(correct=3.0, wrong=-6.0, handoff=-2.0, currency="USD")
search(dataset_of([70, 60, 60, 50]), worth, traffic=Traffic(40_000), minutes=2,
       runs=asked["runs"], backbones=(asked["backbone"],), only=("fine-tune",),
       progress=Listener())
"""


class Counting:
    """Counts the steps of fine-tuning."""

    def __init__(self) -> None:
        self.steps = 0
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def step(self, what: str, done: float, total: float) -> None:
        self.steps += what == "fine-tuning"


@pytest.fixture(scope="module", autouse=True)
def one_precision() -> object:
    """Two precisions may differ by less than a measurement does; one cannot.

    The label curve, which takes as many steps as the time allows, is tested on its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "ways", lambda spec: [])
        patch.setattr(label_study, "SHARE", 0.0)
        yield


def run(
    requests: Dataset, worth: Payoff, backbone: str, runs: Path
) -> tuple[Plan, Counting, dict[str, bytes]]:
    """A search, what it told, and the bytes of the models that it ended with."""
    listener = Counting()
    plan = search(
        requests,
        worth,
        traffic=Traffic(40_000),
        minutes=2,
        runs=runs,
        backbones=(backbone,),
        only=("fine-tune",),
        progress=listener,
    )
    tiers = next(runs.glob("trained-*")) / "tiers"
    models = {path.parent.name: path.read_bytes() for path in tiers.glob("*/model.onnx")}
    return plan, listener, models


@pytest.fixture(scope="module")
def whole(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Plan, Counting, dict[str, bytes]]:
    return run(requests, worth, backbones[0], tmp_path_factory.mktemp("whole"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("at", [110, "measuring"])
def test_a_killed_search_goes_on_to_the_same_plan(
    at: int | str,
    whole: tuple[Plan, Counting, dict[str, bytes]],
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    runs: Path,
    repository: Path,
) -> None:
    asked = {"runs": str(runs), "backbone": backbones[0], "at": at}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        cwd=repository,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not list(runs.glob("plan-*/summary.json"))
    expected, counted, models = whole
    plan, again, found = run(requests, worth, backbones[0], runs)
    assert any(said.startswith("going on with") for said in again.said)
    assert again.steps < counted.steps
    assert plan.name == expected.name
    assert found == models
    rows = ("name", "status", "accuracy")
    # Which of two like models a cascade asks first depends on how long each was timed to take.
    own, other = (
        [[r[k] for k in rows] for r in one.table if r["recipe"] != "cascade"]
        for one in (plan, expected)
    )
    assert own == other
    assert not (next(runs.glob("trained-*")) / "activations").exists()
