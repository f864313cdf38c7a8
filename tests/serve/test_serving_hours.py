"""A service books the hours of its machine, and does not end where it cannot."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from payoff.economics.costs import Step
from payoff.economics.desk import load
from payoff.learn.journal import Journal
from payoff.learn.serving_hours import serving_hours


def test_hours_are_booked_while_it_runs_and_when_it_ends(artifact: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with load(artifact) as desk, Journal.open(tmp_path / "j.db") as journal:
        begun = time.monotonic()
        with serving_hours(desk, journal, tell=told.append, every_s=0.1):
            time.sleep(0.35)
            assert len(journal.bookings()) >= 2
        took = time.monotonic() - begun
        lines = journal.bookings()
        assert {line.line.step for line in lines} == {Step.INFERENCE}
        assert {line.project for line in lines} == {desk.name}
        hours = sum(line.line.quantity for line in lines)
        assert 0.35 <= hours * 3600 <= took
    assert told == []


def test_a_locked_journal_is_told_and_nothing_is_lost(artifact: Path, tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "j.db"
    with load(artifact) as desk, Journal.open(path, timeout_s=0.05) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        with serving_hours(desk, journal, tell=told.append, every_s=0.1):
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.4)
            other.execute("ROLLBACK")
        other.close()
        assert "PF703" in told[0]
        assert sum(line.line.quantity for line in journal.bookings()) * 3600 >= 0.4
