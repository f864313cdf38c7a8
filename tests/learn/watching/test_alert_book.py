from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import insert

from payoff.core.errors import ServiceError
from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events
from payoff.learn.watching.alert import Alert
from payoff.learn.watching.alert_book import AlertBook, still_to_tell

ALERT = Alert(
    key="loss support 1234",
    model="support",
    a_day=120.0,
    low=80.0,
    high=160.0,
    currency="EUR",
    cause="The model is less sure.",
    since="2026-11-03",
    n_requests=2000,
    n_labels=150,
)
NOW = "2026-11-30T08:00:00.000000Z"


@pytest.fixture
def book(books_url: str) -> Iterator[AlertBook]:
    with Journal.open(books_url) as journal:
        yield AlertBook(journal)


def waiting(book: AlertBook, now: str = NOW) -> list[tuple[str, bool, str]]:
    told = still_to_tell(book.states(), ["log", "mail"], now)
    return [(state.alert.key, state.is_over, channel) for state, channel in told]


def test_an_alert_is_raised_once_until_it_is_over(book: AlertBook) -> None:
    assert book.put_up(ALERT)
    assert not book.put_up(replace(ALERT, a_day=500.0))
    assert book.states()[ALERT.key].alert == ALERT
    assert book.end(ALERT.key, {"a_day": 1.0})
    assert not book.end(ALERT.key, {})
    assert book.states()[ALERT.key].is_over
    assert book.put_up(replace(ALERT, a_day=500.0))
    state = book.states()[ALERT.key]
    assert (state.is_over, state.alert.a_day) == (False, 500.0)
    assert state.as_dict()["state"] == "raised"


def test_every_channel_is_told_once_and_again_where_it_failed(book: AlertBook) -> None:
    book.put_up(ALERT)
    key, number = ALERT.key, book.states()[ALERT.key].number
    assert waiting(book) == [(key, False, "log"), (key, False, "mail")]
    book.note(key, number, "log")
    book.note(key, number, "mail", failure="PF748 no answer")
    book.note(key, number, "mail", failure="PF748 no answer again")
    assert waiting(book) == [(key, False, "mail")]
    assert book.states()[key].failures == {"mail": ("PF748 no answer again", 2)}
    book.note(key, number, "mail")
    assert waiting(book) == []
    assert book.states()[key].failures == {}
    book.end(key, {})
    assert waiting(book) == [(key, True, "log"), (key, True, "mail")]


def test_silence_waits_and_ends(book: AlertBook) -> None:
    book.put_up(ALERT)
    book.silence(ALERT.key, until_utc="2026-12-01T00:00:00.000000Z")
    assert waiting(book) == []
    assert len(waiting(book, "2026-12-01T00:00:00.000000Z")) == 2
    book.end(ALERT.key, {})
    assert waiting(book, "2027-01-01") == []  # nobody had heard of it
    book.put_up(ALERT)
    assert len(waiting(book)) == 2  # silence ended with the alert


def test_only_what_was_raised_can_be_silenced(book: AlertBook) -> None:
    with pytest.raises(ServiceError, match=r"PF745.*none was ever raised"):
        book.silence("loss", until_utc=NOW)
    book.put_up(ALERT)
    with pytest.raises(ServiceError, match=r"PF745.*Did you mean 'loss support 1234'"):
        book.silence("loss suport 1234", until_utc=NOW)


@pytest.mark.parametrize("facts", ["no json", '{"key": "only"}'])
def test_a_broken_event_is_told(books_url: str, facts: str) -> None:
    with Journal.open(books_url) as journal:
        row = {"alert": "a", "time_utc": NOW, "event": "raised", "facts": facts}
        with journal.writing() as connection:
            connection.execute(insert(alert_events), [row])
        with pytest.raises(ServiceError, match="PF752"):
            AlertBook(journal).states()


def test_an_event_of_no_alert_is_passed_over(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        row = {"alert": "a", "time_utc": NOW, "event": "over", "facts": "{}"}
        with journal.writing() as connection:
            connection.execute(insert(alert_events), [row])
        assert AlertBook(journal).states() == {}


def test_a_month_is_730_hours() -> None:
    assert ALERT.a_month == pytest.approx(120.0 * 730 / 24)
    assert Alert.from_dict(ALERT.as_dict() | {"newer": 1}) == ALERT
