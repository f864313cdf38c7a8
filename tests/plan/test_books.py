"""A search books what it uses, and stops before its budget would be exceeded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.adapt import task_samples

from payoff.core.errors import EconomicsError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.economics.costs import Step
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.spending import SpendingTerms, spent, total
from payoff.plan import keeping
from payoff.plan.search import search
from payoff.plan.tuning.sweep import sweep
from payoff.plan.tuning.tune import tune
from payoff.plan.tuning.tune_task import tune_task

TERMS = SpendingTerms(currency="USD", per_month=100.0, machine_per_hour=3600.0)  # 1 USD a second


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "books.db") as opened:
        yield opened


def quick(requests: Dataset, worth: Payoff, runs: Path, meter: Meter) -> Any:
    return search(
        requests,
        worth,
        traffic=Traffic(40_000),
        minutes=2,
        runs=runs,
        only=("bag-of-words",),
        meter=meter,
    )


def test_all_time_of_a_search_is_booked_by_what_it_was_for(
    requests: Dataset, worth: Payoff, runs: Path, journal: Journal
) -> None:
    begun = time.monotonic()
    quick(requests, worth, runs, Meter(journal, "desk", TERMS))
    took = time.monotonic() - begun
    rows = spent(journal.bookings(), "USD")
    assert {row.step for row in rows} == {Step.TRAINING}
    named = {row.what for row in rows}
    assert "bag-of-words C=1.0" in named
    assert any(name.endswith("on all rows") for name in named)
    assert "choosing, exporting and measuring" in named
    assert float(total(rows, "USD")) == pytest.approx(took, abs=0.1)
    assert sum(row.cpu_s for row in rows) > 0


def test_a_spent_budget_stops_before_the_first_candidate(
    requests: Dataset, worth: Payoff, runs: Path, journal: Journal
) -> None:
    poor = SpendingTerms(currency="USD", per_month=0.0, machine_per_hour=3600.0)
    with pytest.raises(EconomicsError, match="PF620") as caught:
        quick(requests, worth, runs, Meter(journal, "desk", poor))
    assert "bag-of-words" in caught.value.found
    assert "are left" in caught.value.found
    assert not list(runs.glob("trained-*/candidates/*"))


def test_a_training_under_way_stops_with_its_state_kept(
    requests: Dataset,
    backbones: tuple[str, str],
    runs: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "EVERY_S", 0.05)
    how: dict[str, Any] = {"backbone": backbones[0], "settings": {"epochs": 6.0}, "runs": runs}
    meter = Meter(journal, "desk", TERMS)
    monkeypatch.setattr(meter, "allow", lambda what, seconds: None)
    halfway = Meter(journal, "desk", SpendingTerms(currency="USD", per_month=1e9))

    class Listener(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning" and done > total / 3:
                halfway.terms = replace(TERMS, per_month=50.0)  # the next minute costs 60

    with pytest.raises(EconomicsError, match="PF620"):
        tune(requests, "fine-tune", progress=Listener(), meter=halfway, **how)
    assert journal.bookings()
    said: list[str] = []

    class Told(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    tune(requests, "fine-tune", progress=Told(), meter=meter, **how)
    assert any("going on within" in message for message in said)


KILLED = """
import json, os, signal, sys
import torch
from tests.plan.conftest import dataset_of
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.spending import SpendingTerms
from payoff.plan import keeping
from payoff.plan.tuning.tune import tune

torch.set_num_threads(1)
keeping.EVERY_S = 0.05
asked = json.load(sys.stdin)

class Listener:
    def say(self, message): pass
    def step(self, what, done, total):
        if what == "fine-tuning" and meter.journal.bookings():
            os.kill(os.getpid(), signal.SIGKILL)

meter = Meter(Journal.open(asked["journal"]), "desk", SpendingTerms(currency="USD"))
tune(dataset_of([70, 60, 60, 50]), "fine-tune", backbone=asked["backbone"], runs=asked["runs"],
     settings={"epochs": 6.0}, meter=meter, progress=Listener())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_training_has_booked_what_it_used(
    backbones: tuple[str, str], runs: Path, tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "books.db"
    asked = {"journal": str(path), "backbone": backbones[0], "runs": str(runs)}
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
    with Journal.open(path) as books:
        lines = books.bookings()
    assert lines
    assert {line.line.what for line in lines} == {lines[0].line.what}
    assert sum(line.line.quantity for line in lines) > 0


def test_a_sweep_books_every_trial_and_stops_at_the_budget(
    requests: Dataset, backbones: tuple[str, str], runs: Path, journal: Journal
) -> None:
    how: dict[str, Any] = {"backbone": backbones[0], "settings": {"epochs": 1.0}, "runs": runs}
    poor = Meter(journal, "poor", replace(TERMS, per_month=0.0))
    with pytest.raises(EconomicsError, match="PF620"):
        sweep(requests, "fine-tune", trials=2, minutes=5, meter=poor, **how)
    assert [b for b in journal.bookings() if b.line.what.startswith("fine-tune")] == []
    begun = time.monotonic()
    meter = Meter(journal, "desk", TERMS)
    found = sweep(requests, "fine-tune", trials=2, minutes=5, meter=meter, **how)
    took = time.monotonic() - begun
    mine = [booking for booking in journal.bookings() if booking.project == "desk"]
    assert {one.candidate.name for one in found.tried} <= {booking.line.what for booking in mine}
    assert 0 < float(total(spent(mine, "USD"), "USD")) <= took


def test_another_task_is_booked_too(runs: Path, journal: Journal) -> None:
    texts, cells = task_samples.multi_label(160, seed=0)
    rows = Dataset.from_frame(pl.DataFrame({"text": texts, "target": cells}), text="text")
    how: dict[str, Any] = {"target": "target", "runs": runs}
    poor = Meter(journal, "poor", replace(TERMS, per_month=0.0))
    with pytest.raises(EconomicsError, match="PF620"):
        tune_task(rows, "bag-of-words", "multi-label", meter=poor, **how)
    meter = Meter(journal, "desk", TERMS)
    done = tune_task(rows, "bag-of-words", "multi-label", meter=meter, **how)
    booked = {booking.line.what for booking in journal.bookings() if booking.project == "desk"}
    assert booked == {done.candidate.name, f"measuring {done.candidate.name}"}
