"""A glance sees what a watch sees, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from tests.learn.watching.requests_of import LABELS, requests_of
from tests.learn.watching.test_watch import MODEL, PER_DAY, at, write

from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events
from payoff.learn.watching.expected_loss import expected_loss
from payoff.learn.watching.glance import DAY_SAMPLE, glance
from payoff.learn.watching.journal_window import newest, of_day
from payoff.learn.watching.watch import watch


def test_a_glance_tells_what_a_watch_tells_and_raises_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, requests_of(1000, 0), 0)
        assert glance(journal, MODEL, now=at(2.4)) is None  # nothing came after the quiet period
        write(journal, requests_of(1200, 5, sharpness=0.5), 3, labels=40)
        seen = glance(journal, MODEL, days=10, now=at(6.5))
        assert seen is not None
        with journal.reading() as connection:
            assert connection.execute(select(func.count(alert_events.c.id))).scalar_one() == 0
        watched = watch(journal, MODEL, now=at(6.5))
    assert watched.raised
    assert watched.loss is not None
    assert watched.drift is not None
    assert seen.loss == watched.loss
    assert seen.drift == watched.drift
    assert seen.topics is None  # no text is kept
    assert seen.mix.shape == (len(LABELS),)
    assert seen.mix.sum() == pytest.approx(1)
    assert [(one.day, one.n) for one in seen.days] == [
        ("2026-11-04", PER_DAY), ("2026-11-05", PER_DAY), ("2026-11-06", PER_DAY),
    ]  # fmt: skip
    assert all(one.low < one.loss < one.high for one in seen.days)
    assert [one.n_labels for one in seen.days] == [40, 0, 0]
    total = sum(one.loss for one in seen.days[1:]) / 2
    low, high = seen.loss.interval_a_day
    assert low * 0.5 < total < high * 1.5


def test_the_loss_of_a_day_is_that_of_its_requests(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, requests_of(1000, 0), 0)
        write(journal, requests_of(PER_DAY, 5), 3)
        seen = glance(journal, MODEL, days=3, now=at(3.9))
        assert seen is not None
        (day,) = seen.days
        n, all_of_it = of_day(journal, MODEL, "2026-11-04", 10_000)
        recent = newest(journal, MODEL, 2000, after_id=1000)
    assert n == day.n == PER_DAY == len(recent.window)
    found = expected_loss(all_of_it.window, seen.reference)
    each = found.awaited - found.worth + found.cost
    assert day.loss == pytest.approx(each * PER_DAY)


def test_a_day_is_sampled_evenly(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, requests_of(PER_DAY * 2, 0), 0)
        n, found = of_day(journal, MODEL, "2026-11-02", 40)
        assert n == PER_DAY
        assert len(found.window) == 40
        assert found.ids.tolist() == sorted(set(found.ids.tolist()))
        assert np.diff(found.ids).max() <= 11
        assert (found.ids[0], found.ids[-1]) == (PER_DAY + 1, 2 * PER_DAY)
        assert of_day(journal, MODEL, "2026-12-24", DAY_SAMPLE)[0] == 0
