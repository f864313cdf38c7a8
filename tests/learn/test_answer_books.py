"""What a batch of questions to an endpoint costs is held before, and booked attempt by attempt."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests.artifact.chat_server import ChatServer, Fault, said, serving
from tests.plan.asked_artifact import asked

from payoff.artifact.runtime.endpoint import EndpointRuntime
from payoff.artifact.runtime.request_options import RequestOptions
from payoff.core.errors import EconomicsError, ServiceError
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.desk import Desk, load
from payoff.economics.prices.exchange import ExchangeRates
from payoff.learn.answer_books import AnswerBooks
from payoff.learn.booking import Booking
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.spending import SpendingTerms

LABELS = ("bad", "good")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("good"))) as running:
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        yield running


@pytest.fixture
def desk(server: ChatServer, tmp_path: Path) -> Iterator[Desk]:
    with load(asked(tmp_path / "desk", LABELS, server.url)) as opened:
        for client in opened.artifact.endpoints():
            client.first_wait_s = 0.01
        yield opened


def terms(per_month: float | None, currency: str = "USD") -> SpendingTerms:
    rates = ExchangeRates.of("EUR", {"USD": 0.5}, as_of=date(2026, 11, 1), source="test")
    return SpendingTerms(currency=currency, per_month=per_month, machine_per_hour=0.0, rates=rates)


def charged(server: ChatServer) -> Decimal:
    """What the server has charged, in dollars."""
    return Decimal(sum(read + 2 * written for read, written in server.charged)) / 1000


def booked(journal: Journal) -> Decimal:
    lines = [one.line for one in journal.bookings() if one.line.step is Step.API]
    return sum((line.amount.amount for line in lines), Decimal(0))


def texts(n: int) -> list[str]:
    return [f"which one {number}" for number in range(n)]


def test_what_is_charged_is_booked_and_nothing_stays_held(
    server: ChatServer, desk: Desk, tmp_path: Path
) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        books = AnswerBooks(desk, Meter(journal, "desk", terms(100.0)))
        desk.decide_many(texts(20))
        assert booked(journal) == charged(server) > 0, "before the books are closed"
        assert journal.standing("desk")[1] == []
        books.close()
        desk.decide("one more")
        assert booked(journal) < charged(server), "whoever asks without books books nothing"


def test_a_batch_that_does_not_fit_is_refused_before_its_first_question(
    server: ChatServer, desk: Desk, tmp_path: Path
) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        spent = CostLine(
            Step.TRAINING, "lora", 1.0, "hour", Money.of("9.00", "USD"),
            as_of=None, source="test", measured=True,
        )  # fmt: skip
        journal.book([Booking("b", "desk", spent)])
        AnswerBooks(desk, Meter(journal, "desk", terms(10.0)))
        with pytest.raises(EconomicsError, match=r"PF620.*asking large about 80 texts"):
            desk.decide_many(texts(80))
        assert server.bodies == []
        assert journal.standing("desk")[1] == [], "what is refused holds nothing"
        desk.decide_many(texts(2))
        assert booked(journal) == charged(server) <= 1


def test_who_asks_at_the_same_time_finds_the_money_held(
    server: ChatServer, desk: Desk, tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def choose(messages: list[dict[str, str]]) -> dict[str, object]:
        reached.set()
        assert go_on.wait(60)
        return said("good")

    server.reset(choose)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            desk.decide_many(texts(2))
        except BaseException as error:
            failed.append(error)

    with Journal.open(tmp_path / "j.db") as journal:
        AnswerBooks(desk, Meter(journal, "desk", terms(1.0)))
        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert reached.wait(60)
            (held,) = journal.standing("desk")[1]
            other = Meter(journal, "desk", terms(1.0))
            with pytest.raises(EconomicsError, match=r"PF620.*held for asking large about 2 texts"):
                other.allow_cost("a training", Money.of("0.99", "USD"))
        finally:
            go_on.set()
            thread.join()
        assert failed == []
        assert 0 < held.amount.amount <= 1
        other.allow_cost("a training", Money.of("0.5", "USD"))


def test_repetitions_that_nobody_counted_are_booked_and_stop_at_the_budget(
    server: ChatServer, desk: Desk, tmp_path: Path
) -> None:
    server.faults = deque([Fault(500, charged=True)] * 6)
    runtime = desk.artifact.runtime(0)
    assert isinstance(runtime, EndpointRuntime)
    way, text = RequestOptions(strict=True), "which one"
    read = way.most_read(runtime.question.about(text), LABELS)
    most = Decimal(read + 2 * way.most_written(runtime.question.max_answer_tokens)) / 1000
    room = most * Decimal("2.5")  # for the first attempt, and a repetition and a half
    with Journal.open(tmp_path / "j.db") as journal:
        AnswerBooks(desk, Meter(journal, "desk", terms(float(room))))
        with pytest.raises(EconomicsError, match=r"PF620.*with the next attempt"):
            desk.decide(text)
        assert len(server.bodies) == 2
        assert booked(journal) == 2 * most <= room
        assert {one.line.measured for one in journal.bookings()} == {False}
        assert charged(server) <= booked(journal)


def test_a_journal_that_fails_ends_the_asking_and_the_line_is_written_later(
    server: ChatServer, desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path, timeout_s=0.05) as journal:
        books = AnswerBooks(desk, Meter(journal, "desk", terms(None)))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError, match="PF703"):
            desk.decide("which one")
        other.execute("ROLLBACK")
        other.close()
        assert booked(journal) == 0
        books.close()
        assert booked(journal) == charged(server) > 0


def test_a_budget_needs_a_price_and_takes_one_in_another_currency(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = asked(tmp_path / "desk", LABELS, server.url)
    with Journal.open(tmp_path / "j.db") as journal:
        with load(path) as desk:
            AnswerBooks(desk, Meter(journal, "desk", terms(1.0, "EUR")))
            desk.decide("which one")
            assert booked(journal) == charged(server), "booked in the currency of the price"
            with pytest.raises(EconomicsError, match=r"PF620.* 1\.0000 EUR"):
                desk.decide_many(texts(80))
        monkeypatch.delenv("PAYOFF_ENDPOINT_PRICE")
        with load(path) as desk, pytest.raises(EconomicsError, match="PF629"):
            AnswerBooks(desk, Meter(journal, "desk", terms(1.0)))
