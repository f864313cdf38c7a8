"""A service books what it uses, goes on where it cannot, and keeps its endpoints to the budget."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.artifact.chat_server import ChatServer, said, serving
from tests.serve.budgeted import budgeted
from tests.serve.conftest import answering

from payoff.core.errors import EconomicsError, MachineError, ProjectError
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.desk import load
from payoff.learn.api_keys import make_key
from payoff.learn.booking import Booking
from payoff.learn.journal import Journal
from payoff.learn.serving_hours import ServingHours, hours_left, serving_hours
from payoff.serve.app import create_app
from payoff.serve.run import run


def spend(journal: Journal, amount: str) -> None:
    """Book so much for the project `desk`, now."""
    line = CostLine(
        Step.TRAINING, "lora", 1.0, "hour", Money.of(amount, "USD"),
        as_of=None, source="test", measured=True,
    )  # fmt: skip
    journal.book([Booking(f"b-{time.monotonic_ns()}", "desk", line)])


def test_hours_are_booked_while_it_runs_and_when_it_ends(artifact: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with load(artifact) as desk, Journal.open(tmp_path / "j.db") as journal:
        begun = time.monotonic()
        with serving_hours(ServingHours(desk, journal, tell=told.append), every_s=0.1):
            inside = time.monotonic()
            while len(journal.bookings()) < 2:
                assert time.monotonic() - begun < 60
                time.sleep(0.05)
            inside = time.monotonic() - inside
        took = time.monotonic() - begun
        lines = journal.bookings()
        assert {line.line.step for line in lines} == {Step.INFERENCE}
        assert {line.project for line in lines} == {desk.name}
        hours = sum(line.line.quantity for line in lines)
        assert inside <= hours * 3600 <= took
    assert told == []


def test_a_locked_journal_is_told_and_nothing_is_lost(artifact: Path, tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "j.db"
    with load(artifact) as desk, Journal.open(path, timeout_s=0.05) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        with serving_hours(ServingHours(desk, journal, tell=told.append), every_s=0.1):
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.4)
            other.execute("ROLLBACK")
        other.close()
        assert "PF703" in told[0]
        assert sum(line.line.quantity for line in journal.bookings()) * 3600 >= 0.4


# --- the budget ---------------------------------------------------------------------------------


def test_it_is_not_begun_where_the_budget_is_spent(artifact: Path, tmp_path: Path) -> None:
    path = budgeted(tmp_path, per_month=5.0, per_hour=0.01)
    with Journal.open(tmp_path / "j.db") as journal:
        spend(journal, "5.00")
    with pytest.raises(EconomicsError, match=r"PF630.*5\.00 USD of 5\.00 USD are spent"):
        run(path, port=0, journal=tmp_path / "j.db")
    told: list[str] = []
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        ServingHours(desk, journal, tell=told.append, per_month=1e6).begin()  # --budget
        assert told == []
    with load(artifact) as desk, Journal.open(tmp_path / "j.db") as journal:
        assert "payoff.toml" not in desk.artifact.documents
        with pytest.raises(ProjectError, match="price_per_hour"):
            ServingHours(desk, journal, tell=told.append, per_month=3.0)


def test_hours_that_will_not_fit_are_told_once_and_nothing_stops(tmp_path: Path) -> None:
    told: list[str] = []
    # At 3,600 dollars an hour the last minute of a month costs 60: ten are too few.
    path = budgeted(tmp_path, per_month=10.0, per_hour=1e9)
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        books = ServingHours(desk, journal, tell=told.append)
        books.begin()
        assert len(told) == 1
        assert told[0].startswith("PF631 the hours to the end of")
        assert books.finding.failed
        spend(journal, "10.00")
        for _ in range(3):
            books.book()
        assert len(told) == 2
        assert "is spent" in told[1]
        assert desk.decide("good").action == "good"
        with answering(create_app(desk, journal=journal, books=[books])) as client:
            ready = client.get("/readyz").json()
            assert client.post("/v1/decide", json={"text": "good"}).status_code == 200
        make_key(journal, "shop", ["decide"])
        with answering(create_app(desk, journal=journal, books=[books])) as client:
            assert client.get("/readyz").json() == {"status": "ready", "journal": True}
    (budget,) = ready["budget"]
    assert (budget["code"], budget["status"]) == ("PF631", "failed")


def test_a_budget_that_holds_is_quiet(tmp_path: Path) -> None:
    told: list[str] = []
    path = budgeted(tmp_path, per_month=1e9, per_hour=0.01)
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        books = ServingHours(desk, journal, tell=told.append)
        books.begin()
        books.book()
        assert told == []
        assert not books.finding.failed


def test_hours_to_the_end_of_a_month() -> None:
    from datetime import UTC, datetime

    assert hours_left(datetime(2026, 2, 1, tzinfo=UTC)) == 28 * 24
    assert hours_left(datetime(2026, 12, 31, 23, 30, tzinfo=UTC)) == 0.5


# --- endpoints ----------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("good"))) as running:
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        yield running


def charged(server: ChatServer) -> Decimal:
    """What the server has charged, in dollars."""
    return Decimal(sum(read + 2 * written for read, written in server.charged)) / 1000


def booked(journal: Journal) -> Decimal:
    """What the journal says of the endpoint, in dollars."""
    lines = [one.line for one in journal.bookings() if one.line.step is Step.API]
    return sum((line.amount.amount for line in lines), Decimal(0))


def test_its_endpoint_stays_within_the_budget_and_answers_go_on(
    server: ChatServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    path = budgeted(tmp_path, per_month=0.5, url=server.url)
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        desk.keeps_answering = True
        books = ServingHours(desk, journal, tell=told.append)
        books.begin()
        with (
            answering(create_app(desk, journal=journal, books=[books])) as client,
            caplog.at_level(logging.WARNING, "payoff.desk"),
        ):
            decisions = []
            for number in range(30):
                answer = client.post("/v1/decide", json={"text": f"what is it {number}"})
                assert answer.status_code == 200
                decisions.append(answer.json()["decision"])
                if number % 4 == 3:
                    books.book()
        books.book()
        tiers = [decision["tier"] for decision in decisions]
        n_asked = tiers.count("large")
        assert 0 < n_asked < 30
        assert tiers == ["large"] * n_asked + ["small"] * (30 - n_asked)
        assert len(server.charged) == n_asked
        assert Decimal("0.1") < charged(server) <= Decimal("0.5")
        assert booked(journal) == charged(server)
        assert {d["action"] for d in decisions[n_asked:]} == {"handoff"}
        assert "PF820" in caplog.text
        assert len([one for one in caplog.records if "is not asked" in one.message]) == 1
        richer = ServingHours(desk, journal, tell=told.append, per_month=2.0)  # begun again
        richer.begin()
        assert desk.decide("what is it now").tier == "large"
        desk.keeps_answering = False
        ServingHours(desk, journal, tell=told.append, per_month=0.5).begin()
        with pytest.raises(MachineError, match="PF820"):
            desk.decide("and now, for whoever measures")


def test_an_endpoint_that_fails_leaves_the_answer_to_the_model_before_it(
    server: ChatServer, tmp_path: Path
) -> None:
    path = budgeted(tmp_path, per_month=None, url=server.url)
    with load(path) as desk:
        desk.keeps_answering = True
        (client,) = desk.artifact.endpoints()
        client.model = "gone"
        server.unknown = {"model"}
        assert desk.decide("what").tier == "small"
        server.unknown = set()
        assert desk.decide("what").tier == "large"


def test_a_further_version_is_booked_and_held_too(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old = budgeted(tmp_path / "old", per_month=0.5)
    new = budgeted(tmp_path / "new", per_month=0.5, url=server.url)
    with Journal.open(tmp_path / "j.db") as journal, load(old) as desk, load(new) as newer:
        books = ServingHours(desk, journal, tell=told.append)
        books.begin()
        assert not books.asks_endpoints
        newer.keeps_answering = True
        books.take_in(newer)
        for number in range(30):
            newer.decide(f"what is it {number}")
            if number % 4 == 3:
                books.book()
        assert Decimal("0.1") < charged(server) <= Decimal("0.5")
        books.let_go(newer)
        assert booked(journal) == charged(server)
        assert not books.asks_endpoints
        monkeypatch.delenv("PAYOFF_ENDPOINT_PRICE")
        with load(new) as unpriced, pytest.raises(EconomicsError, match="PF629"):
            books.take_in(unpriced)
        assert not books.asks_endpoints


def test_a_budget_needs_the_price_of_a_token(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PAYOFF_ENDPOINT_PRICE")
    path = budgeted(tmp_path, per_month=1.0, url=server.url)
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        books = ServingHours(desk, journal, tell=print)
        with pytest.raises(EconomicsError, match="PF629"):
            books.begin()
    monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 EUR")
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        books = ServingHours(desk, journal, tell=print)
        with pytest.raises(EconomicsError, match="PF605"):
            books.begin()
    rates = '[currency]\nas_of = 2026-01-01\nsource = "ECB"\nrates = {EUR = 1.10}\n'
    path = budgeted(tmp_path, per_month=1.1, url=server.url, more=rates)
    with load(path) as desk, Journal.open(tmp_path / "j.db") as journal:
        books = ServingHours(desk, journal, tell=print)
        books.begin()
        assert desk.decide("what").tier == "large"
        books.book()
        (read, written) = server.charged[0]
        euros = booked(journal)
        assert euros == Decimal(read + 2 * written) / 1000
        (client,) = desk.artifact.endpoints()
        assert client.allowance is not None
        assert client.allowance.money is not None
        left = client.allowance.money
        assert left.currency == "EUR"
        assert left.amount == pytest.approx(Decimal(1) - euros)


def test_answers_that_could_not_be_booked_are_booked_later(
    server: ChatServer, tmp_path: Path
) -> None:
    told: list[str] = []
    path = budgeted(tmp_path, per_month=None, url=server.url)
    with load(path) as desk, Journal.open(tmp_path / "j.db", timeout_s=0.05) as journal:
        books = ServingHours(desk, journal, tell=told.append, hours=False)
        books.begin()
        desk.decide("what")
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        books.try_to_book()
        other.execute("ROLLBACK")
        other.close()
        assert "PF703" in told[0]
        assert booked(journal) == 0
        books.book()
        books.book()
        assert booked(journal) == charged(server) > 0


def test_an_hour_is_booked_once_though_two_book_it(artifact: Path, tmp_path: Path) -> None:
    """The clock books, and whoever lets a version go does: both wait for the same writer."""
    with load(artifact) as desk, Journal.open(tmp_path / "j.db") as journal:
        begun = time.monotonic()
        hours = ServingHours(desk, journal, tell=print)
        threads = [threading.Thread(target=hours.book) for _ in range(3)]
        with journal.writing():
            for thread in threads:
                thread.start()
            time.sleep(1.0)
        for thread in threads:
            thread.join()
        booked = sum(line.line.quantity for line in journal.bookings()) * 3600
        assert 1.0 <= booked <= time.monotonic() - begun
