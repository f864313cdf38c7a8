"""A database that sorts text as a language does, as most PostgreSQL servers are set up.

There ``~`` comes before digits and letters; the tests' other databases sort by bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.learn.conftest import Server
from tests.learn.test_review import POLICY, entry

from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.learn.booking import Booking
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.labelled import labelled_requests
from payoff.learn.month_costs import month_costs, step_costs
from payoff.learn.tally import Tally
from payoff.learn.watching.journal_window import of_day
from payoff.learn.watching.watched_model import WatchedModel

ENGLISH = ("--locale-provider=icu", "--icu-locale=en-US", "--template=template0")


@pytest.fixture
def journal(postgresql: Server) -> Iterator[Journal]:
    with Journal.open(postgresql.new_database(*ENGLISH)) as journal:
        with journal.reading() as connection:
            (sorts,) = connection.exec_driver_sql("SELECT '~' < '1'").one()
        assert sorts, "it sorts by bytes"
        yield journal


def test_the_costs_of_a_month_are_found(journal: Journal) -> None:
    line = labels_line(1, Money.of("0.08", "USD"))
    times = ("2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00.000000Z", "2026-01-31T09:00:00")
    journal.book([Booking(time, "p", line, time_utc=time) for time in times])
    assert [one.n_lines for one in month_costs(journal, "2026-01")] == [2]
    assert [one.n_lines for one in month_costs(journal, "2025-12")] == [1]
    assert month_costs(journal, "2026-02") == []
    assert [(one.month, one.n_lines) for one in step_costs(journal)] == [
        ("2026-01", 2),
        ("2025-12", 1),
    ]


def test_the_decisions_of_a_day_are_found(journal: Journal) -> None:
    times = ("2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00.000000Z")
    journal.append([entry(n, time_utc=time) for n, time in enumerate(times)])
    model = WatchedModel(name="m", sha256="s" * 64, policy=POLICY, currency="USD")
    assert [of_day(journal, model, f"2026-{day}", 9)[0] for day in ("11-30", "12-01")] == [1, 1]
    found = Tally(journal).read(datetime(2026, 12, 1, 8, tzinfo=UTC))
    assert [one.day for one in found] == ["2026-11-30", "2026-12-01"]


def test_labelled_requests_are_read_once_in_blocks(journal: Journal) -> None:
    names = [f"{sign}{n}" for n in range(300) for sign in ("r-", "R.", "_", "a:", "Z/")]
    take(journal, [Feedback(name, label="x") for name in names])
    found = [one.request_id for block in labelled_requests(journal) for one in block]
    assert sorted(found) == sorted(names)
