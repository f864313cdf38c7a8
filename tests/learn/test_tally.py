"""Sums of all decisions, costs by step, and what no sum holds: on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.learn.test_review import POLICY, entry

from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.learn import tally as tallying
from payoff.learn.booking import Booking
from payoff.learn.experiments.assignment import shadow_id
from payoff.learn.journal import Journal
from payoff.learn.month_costs import month_costs, step_costs
from payoff.learn.newest import newest_rows
from payoff.learn.review import waiting
from payoff.learn.spending import UNPRICED
from payoff.learn.tally import Tally

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)


def test_all_decisions_are_added_once_also_after_the_newest(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallying, "_BLOCK", 3)
    with Journal.open(books_url) as journal:
        old = [f"2026-0{month}-03T00:00:00.000000Z" for month in (1, 2, 3, 4, 5)]
        journal.append([entry(50 + n, time_utc=one, worth=1.0) for n, one in enumerate(old)])
        journal.append([entry(n, worth=2.0) for n in range(10)])
        tally = Tally(journal)
        recent = tally.read(NOW)
        assert sum(one.n for one in recent) == 10
        for _ in range(2):
            found = tally.read_all()
            assert [one.day for one in found][:5] == [one[:10] for one in old]
            assert sum(one.n for one in found) == 15
            assert sum(one.worth for one in found) == 25.0
        assert tally.read(NOW) == recent
        journal.append([entry(70, worth=5.0)])
        assert sum(one.worth for one in tally.read_all()) == 30.0
        assert Tally(journal).read_all() == tally.read_all()


def test_a_shadow_is_in_no_sum_and_in_no_queue(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        shadow = {"experiment": "new-head", "arm": "treatment", "request_id": shadow_id("r-1")}
        journal.append(
            [
                entry(1, worth=2.0, experiment="new-head", arm="control"),
                entry(2, worth=9.0, **shadow),
                entry(3, worth=1.0, request_id="a customer's own#shadow"),
            ]
        )
        found = Tally(journal).read(NOW)
        assert sum(one.worth for one in found) == 3.0
        assert Tally(journal).read_all() == found
        names = {one.request_id for one in waiting(journal, POLICY)}
        assert names == {"r-1", "a customer's own#shadow"}


def test_costs_of_every_month_by_step(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert step_costs(journal) == []
        lines = [labels_line(n, Money.of("0.08", "USD")) for n in (3, 4, 5)]
        times = (
            "2026-10-31T23:59:59.999999Z",
            "2026-11-01T00:00:00.000000Z",
            "2026-11-30T00:00:00",
        )
        booked = [
            Booking(f"b-{n}", "p", line, time_utc=time)
            for n, (line, time) in enumerate(zip(lines, times, strict=True))
        ]
        journal.book(booked)
        found = step_costs(journal)
        assert [(one.month, one.step, one.currency, one.n_lines) for one in found] == [
            ("2026-11", "labels", "USD", 2),
            ("2026-10", "labels", "USD", 1),
        ]
        assert [one.amount for one in found] == pytest.approx([0.72, 0.24])
        assert found[0].amount == pytest.approx(
            sum(x.amount for x in month_costs(journal, "2026-11"))
        )
        assert [one.n_unpriced for one in found] == [0, 0]
        free = labels_line(1, Money.of("0", "USD"))
        row = Booking("free", "p", free, time_utc=times[1]).as_row()
        row["note"] = f"{UNPRICED}: payoff.toml [labels]"
        journal.book([Booking.from_row(row)])
        assert [one.n_unpriced for one in step_costs(journal)] == [1, 0]


def test_the_newest_rows_tell_that_something_was_added(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        empty = newest_rows(journal)
        assert set(empty) == {0}
        journal.append([entry(1)])
        once = newest_rows(journal)
        assert once != empty
        assert newest_rows(journal) == once
        line = labels_line(1, Money.of("0.08", "USD"))
        journal.book([Booking("b", "p", line)])
        assert newest_rows(journal) != once
