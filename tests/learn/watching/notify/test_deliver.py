from __future__ import annotations

import logging

import pytest
from tests.learn.watching.notify.receivers import http_receiver
from tests.learn.watching.test_alert_book import ALERT

from payoff.core.errors import ServiceError
from payoff.learn.journal import Journal
from payoff.learn.watching.alert_book import AlertBook
from payoff.learn.watching.notify.channel import Message
from payoff.learn.watching.notify.deliver import deliver
from payoff.learn.watching.notify.log import Log
from payoff.learn.watching.notify.mail import Mail
from payoff.learn.watching.notify.webhook import Webhook


class Broken:
    """A channel whose line is down until it is mended."""

    name = "broken"

    def __init__(self) -> None:
        self.down = True
        self.got: list[Message] = []

    def send(self, message: Message) -> None:
        if self.down:
            raise ServiceError("PF747", self.name, "the line is down")
        self.got.append(message)


def test_what_failed_is_told_later_and_nothing_twice(
    books_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken()
    with Journal.open(books_url) as journal, caplog.at_level(logging.INFO, "payoff.watch"):
        book = AlertBook(journal)
        book.put_up(ALERT)
        first = deliver(book, [broken, Log()])
        assert [(one.channel, bool(one.failure)) for one in first] == [
            ("broken", True),
            ("log", False),
        ]
        assert [one.channel for one in deliver(book, [broken, Log()])] == ["broken"]
        broken.down = False
        assert [one.failure for one in deliver(book, [broken, Log()])] == [""]
        assert deliver(book, [broken, Log()]) == []
        book.end(ALERT.key, {})
        assert [one.event for one in deliver(book, [broken, Log()])] == ["over", "over"]
    assert [message.event for message in broken.got] == ["raised", "over"]
    assert len({message.number for message in broken.got}) == 2
    told = [record.levelname for record in caplog.records]
    assert told == ["WARNING", "INFO"]


def test_over_the_line(books_url: str) -> None:
    with http_receiver(404) as server, Journal.open(books_url) as journal:
        book = AlertBook(journal)
        book.put_up(ALERT)
        webhook = Webhook(f"http://127.0.0.1:{server.server_port}/")
        assert "PF747" in deliver(book, [webhook])[0].failure
        assert deliver(book, [webhook])[0].failure == ""
        assert len(server.got) == 2
        numbers = {headers["Idempotency-Key"] for _, headers, _ in server.got}
        assert len(numbers) == 1


@pytest.mark.parametrize(
    "broken",
    [
        Webhook("https://ops..example.com/hook", wait=lambda _: None),
        Webhook(f"https://{'x' * 70}.example.com/hook", wait=lambda _: None),
        Webhook("http://127.0.0.1:9/Störung", wait=lambda _: None),
        Mail("ops@example.com", server="mail..example.com"),
    ],
    ids=["empty part", "long part", "no ASCII", "mail"],
)
def test_an_address_that_cannot_be_spelt_keeps_nobody_else_from_being_told(
    broken: Webhook | Mail, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal.open("sqlite://") as journal, caplog.at_level(logging.INFO, "payoff.watch"):
        book = AlertBook(journal)
        book.put_up(ALERT)
        first, second = deliver(book, [broken, Log()])
        assert first.failure[:5] in ("PF747", "PF748")
        assert (second.channel, second.failure) == ("log", "")
    assert len(caplog.records) == 1
