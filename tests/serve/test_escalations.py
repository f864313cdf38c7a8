"""Requests that want an endpoint wait for it outside the line, and everybody else is answered."""

from __future__ import annotations

import dataclasses
import json
import queue
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from tests.artifact.chat_server import ChatServer, Reply, said, serving
from tests.serve.budgeted import budgeted
from tests.serve.conftest import answering
from tests.serve.test_app import until

from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.core.errors import ServiceError
from payoff.economics.begun import Begun
from payoff.economics.cascades.cascade_policy import ANSWERED
from payoff.economics.desk import Desk, load
from payoff.learn.journal import Journal
from payoff.learn.serving_hours import ServingHours
from payoff.serve.app import create_app
from payoff.serve.endpoints import keep_answering
from payoff.serve.escalations import Escalations
from payoff.serve.handler import Handler


class Held(ChatServer):
    """An endpoint that answers only once it may."""

    def __init__(self) -> None:
        super().__init__(self._choose)
        self.go = threading.Event()

    def _choose(self, messages: list[dict[str, str]]) -> Reply:
        assert self.go.wait(100)
        return said("good")

    @property
    def texts(self) -> list[str]:
        """What was asked about, in the order in which it came."""
        return [body["messages"][-1]["content"] for body in self.bodies]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    with serving(held):
        monkeypatch.setenv("PAYOFF_ENDPOINT", held.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        try:
            yield held
        finally:
            held.go.set()


@contextmanager
def opened(
    server: Held, folder: Path, *, per_month: float | None = None, at_once: int = 4
) -> Iterator[tuple[Desk, EndpointClient]]:
    """The desk as a service has it, with more patience than a busy machine needs."""
    with load(budgeted(folder, per_month=per_month, url=server.url), threads=1) as desk:
        keep_answering(desk)
        (client,) = desk.artifact.endpoints()
        client.timeout_s, client.first_wait_s, client.max_parallel = 200.0, 0.0, at_once
        yield desk, client


class Asking:
    """Asks a service from as many threads as need be."""

    def __init__(self, app: FastAPI, client: httpx.Client, pool: ThreadPoolExecutor) -> None:
        self.model = app.state.models.of(None)
        self.client = client
        self._pool = pool

    def now(self, text: str, **more: Any) -> httpx.Response:
        return self.client.post("/v1/decide", json={"text": text} | more, timeout=100)

    def aside(self, text: str, **more: Any) -> Future[httpx.Response]:
        return self._pool.submit(self.now, text, **more)

    @contextmanager
    def leaving(self, text: str) -> Iterator[None]:
        """A caller that goes away when the block ends, without its answer."""
        body = json.dumps({"text": text}).encode()
        head = f"POST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        url, before = self.client.base_url, self.model.aside
        with socket.create_connection((url.host, url.port)) as raw:
            raw.sendall(head.encode() + body)
            until(lambda: bool(self.model.aside == before + 1))
            yield


@contextmanager
def asking(app: FastAPI) -> Iterator[Asking]:
    with answering(app) as client, ThreadPoolExecutor(16) as pool:
        yield Asking(app, client, pool)


def tier(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["decision"]["tier"])


def code(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def dollars(server: ChatServer) -> Decimal:
    return Decimal(sum(read + 2 * written for read, written in server.charged)) / 1000


def test_what_needs_no_endpoint_is_answered_while_one_hangs(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    with opened(server, tmp_path) as (desk, _), asking(create_app(desk, journal=journal)) as ask:
        dear = ask.aside("what is it", request_id="dear")
        until(lambda: len(server.bodies) == 1)
        cheap = [ask.now(text, request_id=text) for text in ("good", "bad")]
        assert [tier(one) for one in cheap] == ["small", "small"]
        assert (ask.model.inside, ask.model.aside) == (1, 1)
        assert 'payoff_requests_aside{model="desk"} 1.0' in ask.client.get("/metrics").text
        assert [entry.request_id for entry in journal.read()] == ["good", "bad"]
        assert not dear.done()
        server.go.set()
        assert tier(dear.result()) == "large"
        entry = journal.read()[-1]
        assert (entry.request_id, entry.tier) == ("dear", "large")
        assert entry.cost == pytest.approx(0.0201)
        figures = ask.client.get("/metrics").text
        assert 'payoff_requests_aside{model="desk"} 0.0' in figures
        counted = [line for line in figures.splitlines() if line.startswith("payoff_decisions_t")]
        assert sorted(line.split('tier="')[1].split('"')[0] for line in counted) == [
            "large",
            "small",
        ]


def test_a_batch_of_both_is_decided_as_decide_many_does(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    class Paused:
        def __init__(self, desk: Desk) -> None:
            self.go, self.sizes = threading.Event(), list[int]()
            self._logits = desk.artifact.runtime(0).logits
            desk.artifact._runtimes[0] = self  # type: ignore[assignment]

        def logits(self, texts: Any) -> Any:
            self.sizes.append(len(texts))
            assert self.go.wait(100)
            return self._logits(texts)

    texts = ["good", "what", "bad bad", "who", "good", "what is it", "bad", "where"]
    dear = [text for text in texts if text[0] == "w"]
    with opened(server, tmp_path) as (desk, _), asking(create_app(desk, journal=journal)) as ask:
        small = Paused(desk)
        first = ask.aside("good")
        until(lambda: len(small.sizes) == 1)
        asked = [(text, ask.aside(text)) for text in texts]
        until(lambda: bool(ask.model.inside == 9))
        small.go.set()
        assert tier(first.result()) == "small"
        assert {tier(one.result()) for text, one in asked if text not in dear} == {"small"}
        assert small.sizes == [1, 8]
        assert ask.model.aside == 4
        assert journal.count() == 5
        server.go.set()
        found = [one.result().json()["decision"] for _, one in asked]
        assert found == [one.as_dict() for one in desk.decide_many(texts)]
        assert [one["tier"] == "large" for one in found] == [text in dear for text in texts]
        together = ask.client.post("/v1/decide", json={"texts": texts}).json()
        assert together["decisions"] == found
        assert journal.count() == 5 + 4 + 8


def test_texts_of_one_request_that_are_alike_are_asked_about_once(
    server: Held, tmp_path: Path
) -> None:
    server.go.set()
    with opened(server, tmp_path) as (desk, _), asking(create_app(desk)) as ask:
        body = {"texts": ["what", "good", "who", "what", "what"]}
        found = ask.client.post("/v1/decide", json=body).json()["decisions"]
        assert [one["tier"] for one in found] == ["large", "small", "large", "large", "large"]
        assert sorted(server.texts) == ["what", "who"]
        none = ask.client.post("/v1/decide", json={"texts": []})
        assert none.json()["decisions"] == []


def test_no_more_is_asked_at_once_than_the_artifact_says(server: Held, tmp_path: Path) -> None:
    with opened(server, tmp_path, at_once=3) as (desk, _), asking(create_app(desk)) as ask:
        answers = [ask.aside(f"what {number}") for number in range(10)]
        until(lambda: bool(ask.model.aside == 10) and len(server.bodies) == 3)
        server.go.set()
        assert {tier(one.result()) for one in answers} == {"large"}
        assert server.most_at_once == 3
        assert len(server.bodies) == 10


def test_the_cap_in_money_holds_for_all_that_is_asked_at_once_and_after_a_restart(
    server: Held, tmp_path: Path
) -> None:
    server.words = lambda text: len(text.encode())  # charges about what is reserved
    path = tmp_path / "j.db"
    for life in range(2):
        with (
            opened(server, tmp_path, per_month=0.6) as (desk, _),
            Journal.open(path) as journal,
        ):
            before = len(server.bodies)
            books = ServingHours(desk, journal, tell=print, hours=False)
            books.begin()
            with asking(create_app(desk, journal=journal, books=[books])) as ask:
                answers = [ask.aside(f"what is it {number}") for number in range(12)]
                if not life:  # as many as have room hang there, and the others are answered
                    until(lambda: 0 < ask.model.aside == len(server.bodies) < 4)
                server.go.set()
                tiers = [tier(one.result()) for one in answers]
            assert set(tiers) == {"small", "large"}
            assert tiers.count("large") + before == len(server.bodies)
            books.book()
            spent = [one.line.amount.amount for one in journal.bookings()]
            assert sum(spent, Decimal(0)) == dollars(server)
    assert Decimal("0.1") < dollars(server) <= Decimal("0.6")


def test_a_cap_on_endpoints_holds_likewise(
    server: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "0.6 USD")
    monkeypatch.setenv("PAYOFF_ENDPOINT_BOOK", str(tmp_path / "book.db"))
    server.words = lambda text: len(text.encode())
    server.go.set()
    for _ in range(2):
        with opened(server, tmp_path) as (desk, _), asking(create_app(desk)) as ask:
            answers = [ask.aside(f"what is it {number}") for number in range(12)]
            assert "small" in {tier(one.result()) for one in answers}
    assert Decimal("0.1") < dollars(server) <= Decimal("0.6")


def test_a_caller_that_leaves_frees_its_place(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    with opened(server, tmp_path, at_once=1) as (desk, _):
        with asking(create_app(desk, journal=journal, max_waiting=2)) as ask:
            first = ask.aside("what first", request_id="first")
            until(lambda: len(server.bodies) == 1)
            with ask.leaving("what second"):
                full = ask.now("what third")
                assert (full.status_code, code(full)) == (503, "PF707")
                assert full.headers["retry-after"] == "1"
                assert tier(ask.now("good", request_id="cheap")) == "small"
            until(lambda: bool(ask.model.aside == 1))
            third = ask.aside("what third", request_id="third")
            until(lambda: bool(ask.model.aside == 2))
            server.go.set()
            assert [tier(first.result()), tier(third.result())] == ["large", "large"]
        assert server.texts == ["what first", "what third"]
        assert [one.request_id for one in journal.read()] == ["cheap", "first", "third"]


def test_a_question_whose_caller_left_keeps_its_place_at_the_endpoint(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    with opened(server, tmp_path, at_once=1) as (desk, _):
        with asking(create_app(desk, journal=journal, max_waiting=1)) as ask:
            with ask.leaving("what first"):
                until(lambda: len(server.bodies) == 1)
            until(lambda: bool(ask.model.inside == 0))
            second = ask.aside("what second", request_id="second")
            until(lambda: bool(ask.model.aside == 1))
            assert server.texts == ["what first"]
            server.go.set()
            assert tier(second.result()) == "large"
        assert server.texts == ["what first", "what second"]
        assert [one.request_id for one in journal.read()] == ["second"]


def test_who_wants_the_answer_sooner_is_told_while_the_endpoint_hangs(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    with opened(server, tmp_path, at_once=1) as (desk, _):
        with asking(create_app(desk, journal=journal)) as ask:
            late = ask.now("what is it", within_ms=300)
            assert (late.status_code, code(late)) == (504, "PF714")
            assert ask.model.inside == ask.model.aside == 0
            server.go.set()
            timely = ask.now("what else", request_id="timely", within_ms=100_000)
            assert tier(timely) == "large"
        assert [one.request_id for one in journal.read()] == ["timely"]


def test_those_who_wait_are_answered_by_the_model_before_it_once_it_is_left_alone(
    server: Held, tmp_path: Path
) -> None:
    with opened(server, tmp_path, at_once=1) as (desk, client), asking(create_app(desk)) as ask:
        first = ask.aside("what first")
        until(lambda: len(server.bodies) == 1)
        rest = [ask.aside(f"what {number}") for number in range(6)]
        until(lambda: bool(ask.model.aside == 7))
        assert client.breaker is not None
        for _ in range(5):
            client.breaker.tell(False, "no answer")
        server.go.set()
        assert tier(first.result()) == "large"  # it was under way
        assert {tier(one.result()) for one in rest} == {"small"}
        assert len(server.bodies) == 1


def test_no_answer_of_an_endpoint_leaves_that_is_not_in_the_journal(
    server: Held, tmp_path: Path, journal: Journal
) -> None:
    with opened(server, tmp_path) as (desk, _), asking(create_app(desk, journal=journal)) as ask:
        dear = ask.aside("what is it", request_id="dear")
        until(lambda: len(server.bodies) == 1)
        other = sqlite3.connect(str(journal._engine.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        server.go.set()
        refused = dear.result()
        assert (refused.status_code, code(refused)) == (503, "PF703")
        other.execute("ROLLBACK")
        other.close()
        assert journal.count() == 0
        assert tier(ask.now("what is it", request_id="dear")) == "large"
        assert [one.request_id for one in journal.read()] == ["dear"]


def test_an_end_waits_for_what_is_under_way(server: Held, tmp_path: Path, journal: Journal) -> None:
    with opened(server, tmp_path, at_once=1) as (desk, _):
        with asking(create_app(desk, journal=journal)) as ask:
            answers = [ask.aside(f"what {number}") for number in range(3)]
            until(lambda: bool(ask.model.aside == 3) and len(server.bodies) == 1)
            ending = threading.Thread(target=ask.model.close)
            ending.start()
            until(lambda: ask.now("good").status_code == 503)
            assert code(ask.now("what")) == "PF707"
            assert ending.is_alive()
            server.go.set()
            assert {tier(one.result()) for one in answers} == {"large"}
            ending.join(100)
            assert not ending.is_alive()
        assert len([one for one in journal.read() if one.tier == "large"]) == 3


def test_a_service_whose_only_model_it_is_asks_several_at_once(
    server: Held, tmp_path: Path
) -> None:
    with opened(server, tmp_path) as (desk, _):
        desk.cascade = None
        with asking(create_app(desk)) as ask:
            answers = [ask.aside(f"what {number}") for number in range(3)]
            until(lambda: len(server.bodies) == 3)
            server.go.set()
            assert [one.result().json()["decision"]["label"] for one in answers] == ["good"] * 3


def test_a_function_without_a_line_asks_and_waits(server: Held, tmp_path: Path) -> None:
    server.go.set()
    with opened(server, tmp_path) as (desk, _):
        body = json.dumps({"texts": ["what", "good"]}).encode()
        found = Handler(desk).answer("POST", "/v1/decide", body).content["decisions"]
        assert [one["tier"] for one in found] == ["large", "small"]


# --- without a service ----------------------------------------------------------------------------


def begun(*texts: str) -> Begun:
    return Begun.of_texts(texts, None, n_labels=2)


def test_requests_take_turns_and_one_that_fails_is_told_at_once() -> None:
    go, begins = threading.Event(), threading.Event()
    asked: list[str] = []
    told: queue.Queue[tuple[str, Any]] = queue.Queue()

    def ask(key: str, one: Begun) -> Begun:
        asked.append(one.texts[0])
        begins.set()
        assert go.wait(100)
        if one.texts[0] == "bad 2":
            raise KeyError("it breaks")
        return dataclasses.replace(one, wanted=np.array([ANSWERED]))

    escalations: Escalations[str] = Escalations(
        ask, lambda key, found: told.put((key, found)), most_at_once=1, max_waiting=3
    )
    escalations.add("many", begun("many 1", "many 2", "many 3"))
    assert begins.wait(100)
    escalations.add("bad", begun("bad 1", "bad 2", "bad 3"))
    escalations.add("one", begun("one 1"))
    with pytest.raises(ServiceError, match=r"PF707.*3 requests are waiting for an endpoint"):
        escalations.add("more", begun("more"))
    go.set()
    escalations.close()
    assert asked == ["many 1", "many 2", "bad 1", "one 1", "many 3", "bad 2"]
    assert [told.get()[0] for _ in range(2)] == ["one", "many"]
    key, found = told.get()
    assert key == "bad"
    assert isinstance(found, KeyError)
    assert told.empty()
    assert len(escalations) == 0
    assert not escalations.drop("many")


def test_segments_are_kept_apart() -> None:
    found: list[Begun | Exception] = []
    asked: list[tuple[str, str]] = []

    def ask(key: int, one: Begun) -> Begun:
        assert one.segments is not None
        asked.append((one.texts[0], str(one.segments[0])))
        return dataclasses.replace(one, wanted=np.array([ANSWERED]))

    escalations: Escalations[int] = Escalations(
        ask, lambda key, one: found.append(one), most_at_once=1, max_waiting=1
    )
    segments = np.array(["shops", "clinics", "shops"])
    escalations.add(1, Begun.of_texts(["what", "what", "what"], segments, n_labels=2))
    escalations.close()
    assert asked == [("what", "shops"), ("what", "clinics")]
    (whole,) = found
    assert isinstance(whole, Begun)
    assert whole.segments is not None
    assert whole.segments.tolist() == ["shops", "clinics", "shops"]
