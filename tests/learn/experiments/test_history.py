"""An experiment looked back at: each evening as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from payoff.learn.entry import Entry
from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.history import history
from payoff.learn.experiments.look import look_at
from payoff.learn.experiments.outcomes import requests_of
from payoff.learn.journal import Journal
from payoff.learn.tables import feedback

COURSE = replace(
    EXAMPLE,
    stages=(
        Stage("2026-01-01T06:00:00.000000Z", 0.05),
        Stage("2026-01-03T00:00:00.000000Z", 0.5),
    ),
)
NOW = "2026-01-05T12:00:00.000000Z"


def filled(journal: Journal) -> None:
    """Twelve hundred requests of four days, most of them with an outcome."""
    rng = np.random.default_rng(0)
    entries, told = [], []
    for i in range(1200):
        day, minute = 1 + i // 300, i % 300
        treated = rng.random() < (0.05 if day < 3 else 0.5)
        moment = f"2026-01-0{day}T{7 + minute // 60:02d}:{minute % 60:02d}:00.000000Z"
        arm = "treatment" if treated else "control"
        entries.append(
            Entry(
                f"r{i}", "a" * 64, "t", "a", "a", 0.9, 1.0, "USD", 20.0, moment,
                customer=f"c{i % 200}-{arm}", experiment="new-head", arm=arm,
            )
        )  # fmt: skip
        told.append(
            {
                "feedback_id": f"f{i}", "request_id": f"r{i}", "time_utc": moment, "label": "",
                "correct": None, "worth": float(rng.choice([3.0, -8.0])), "source": "system",
                "person": "", "seconds": None,
            }
        )  # fmt: skip
    journal.append(entries)
    with journal.writing() as connection:
        connection.execute(insert(feedback), told)


def test_every_evening_is_the_look_of_the_requests_until_then(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        filled(journal)
        found = history(journal, COURSE, now=NOW)
        requests = requests_of(journal, COURSE)
    assert [one.time_utc[:13] for one in found] == [
        "2026-01-02T00", "2026-01-03T00", "2026-01-04T00", "2026-01-05T00", "2026-01-05T12",
    ]  # fmt: skip
    assert [one.look.share for one in found] == [0.05, 0.5, 0.5, 0.5, 0.5]
    seen = [one.look.control.requests + one.look.treatment.requests for one in found]
    assert seen == [300, 600, 900, 1200, 1200]
    third = look_at(COURSE, requests.only(requests.day <= 2.75), found[2].time_utc)
    assert found[2].look.gain == third.gain
    last = look_at(COURSE, requests, NOW)
    assert found[-1].look.gain == last.gain
    assert found[-1].look.recommendation == last.recommendation


def test_what_is_over_ends_when_it_was_over(tmp_path: Path) -> None:
    over = replace(COURSE, over="stopped", over_utc="2026-01-03T18:00:00.000000Z")
    with Journal.open(tmp_path / "j.db") as journal:
        filled(journal)
        found = history(journal, over, now=NOW)
    assert found[-1].time_utc == over.over_utc
    assert [one.look.share for one in found] == [0.05, 0.5, 0.5]  # as it was, not as it ended


@pytest.mark.parametrize(("most", "n"), [(28, 5), (4, 4), (2, 2)])
def test_a_long_course_is_thinned_and_keeps_its_ends(tmp_path: Path, most: int, n: int) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        found = history(journal, COURSE, now=NOW, most=most)
    assert len(found) == n
    assert found[0].time_utc[:10] == "2026-01-02"
    assert found[-1].time_utc == NOW


def test_one_that_began_just_now(tmp_path: Path) -> None:
    course: Course = replace(COURSE, stages=COURSE.stages[:1])
    with Journal.open(tmp_path / "j.db") as journal:
        found = history(journal, course, now="2026-01-01T06:00:00.000000Z")
    assert [one.look.days for one in found] == [0.0]
