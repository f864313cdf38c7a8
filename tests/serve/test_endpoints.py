"""An endpoint inside a service fails, hangs and heals: callers are answered all the while."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.artifact.chat_server import ChatServer, Fault, said, serving
from tests.serve.budgeted import budgeted
from tests.serve.conftest import answering

from payoff.artifact.runtime.breaker import Breaker
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.economics.desk import Desk, load
from payoff.learn.journal import Journal
from payoff.learn.serving_hours import ServingHours
from payoff.serve import endpoints
from payoff.serve.app import create_app
from payoff.serve.endpoints import keep_answering
from payoff.serve.run import run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("good"))) as running:
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        yield running


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ready(desk: Desk) -> tuple[EndpointClient, Clock]:
    """The desk as a service has it, with a clock of the test's own."""
    keep_answering(desk)
    (client,) = desk.artifact.endpoints()
    clock = Clock()
    client.breaker = Breaker("large", clock=clock)
    client.first_wait_s = 0.0
    return client, clock


def tier(client: httpx.Client, text: str = "what is it") -> str:
    answer = client.post("/v1/decide", json={"text": text}, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["decision"]["tier"])


def told(client: httpx.Client) -> tuple[str, float, float]:
    """What `/v1/models` and `/metrics` say of the endpoint."""
    (model,) = client.get("/v1/models").json()["models"]
    small, large = model["tiers"]
    assert set(small) == {"name", "kind"}
    figures = client.get("/metrics").text
    open_, n = (
        float(re.findall(rf"^payoff_endpoint_{name}{{.*}} (\S+)$", figures, re.MULTILINE)[0])
        for name in ("open", "opened_total")
    )
    return large["breaker"], open_, n


def test_it_fails_and_heals(
    server: ChatServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with load(budgeted(tmp_path, per_month=None, url=server.url), threads=1) as desk:
        _, clock = ready(desk)
        with (
            answering(create_app(desk)) as client,
            caplog.at_level(logging.WARNING),
        ):
            assert tier(client) == "large"
            assert told(client) == ("closed", 0.0, 0.0)
            server.faults.extend(Fault() for _ in range(100))
            assert [tier(client) for _ in range(8)] == ["small"] * 8
            n_sent = len(server.bodies)
            assert n_sent == 1 + 5  # it opened in the midst of the third question
            assert told(client) == ("open", 1.0, 1.0)
            clock.now += 5.0
            assert tier(client) == "small"  # the trial
            assert len(server.bodies) == n_sent + 1
            clock.now += 5.0
            assert tier(client) == "small"  # the pause has grown
            assert len(server.bodies) == n_sent + 1
            server.faults.clear()
            clock.now += 5.0
            assert [tier(client) for _ in range(2)] == ["large"] * 2
            assert told(client) == ("closed", 0.0, 1.0)
    lines = [one.message for one in caplog.records if one.name == "payoff.endpoint"]
    assert len(lines) == 2
    assert "is left alone for 5 s" in lines[0]
    assert "is asked again" in lines[1]


def test_it_hangs_and_nobody_waits_once_that_is_known(server: ChatServer, tmp_path: Path) -> None:
    with load(budgeted(tmp_path, per_month=None, url=server.url), threads=1) as desk:
        asks, clock = ready(desk)
        asks.timeout_s = 0.3
        with answering(create_app(desk)) as client:
            server.faults.extend(Fault(delay_s=1.0) for _ in range(40))
            answers = client.post(
                "/v1/decide", json={"texts": [f"what {n}" for n in range(9)]}, timeout=60
            ).json()["decisions"]
            assert {one["tier"] for one in answers} == {"small"}
            assert told(client)[0] == "open"
            n_sent = asks.n_requests
            assert [tier(client) for _ in range(20)] == ["small"] * 20
            assert asks.n_requests == n_sent  # at once: nothing was sent
            server.faults.clear()
            clock.now += 5.0
            assert tier(client) == "large"


def test_a_service_whose_only_model_it_is_refuses_with_a_time_to_come_back(
    server: ChatServer, tmp_path: Path
) -> None:
    with load(budgeted(tmp_path, per_month=None, url=server.url), threads=1) as desk:
        _, clock = ready(desk)
        desk.cascade = None
        with answering(create_app(desk)) as client:
            server.faults.extend(Fault() for _ in range(5))
            for _ in range(5):
                client.post("/v1/decide", json={"text": "what"})
            answer = client.post("/v1/decide", json={"text": "what"})
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "PF821"
            assert answer.headers["retry-after"] == "5"
            clock.now += 5.0
            assert client.post("/v1/decide", json={"text": "what"}).status_code == 200


def test_caps_in_money_hold_for_trials_too(server: ChatServer, tmp_path: Path) -> None:
    path = budgeted(tmp_path, per_month=2.0, url=server.url)
    with (
        load(path, threads=1) as desk,
        Journal.open(tmp_path / "j.db") as journal,
    ):
        asks, clock = ready(desk)
        books = ServingHours(desk, journal, tell=print)
        books.begin()
        with answering(create_app(desk, journal=journal, books=[books])) as client:
            assert tier(client) == "large"
            server.faults.extend(Fault(charged=True) for _ in range(1000))
            for number in range(60):
                tier(client, f"what {number}")
                clock.now += 400.0  # every request is a trial
            server.faults.clear()
            assert tier(client) == "small"  # it would answer; the money is gone
            assert asks.breaker is not None
            assert asks.breaker.state == "open"
        cost = sum(read + 2 * written for read, written in server.charged) / 1000
        assert 0.2 < cost <= 2.0


def test_versions_of_a_model_share_its_budget(server: ChatServer, tmp_path: Path) -> None:
    path = budgeted(tmp_path, per_month=1.0, url=server.url)
    with (
        load(path, threads=1) as desk,
        load(path, threads=1) as twin,
        Journal.open(tmp_path / "j.db") as journal,
    ):
        books = ServingHours(desk, journal, tell=print, versions=[twin])
        books.begin()
        for one in (desk, twin):
            keep_answering(one)
            tiers = [one.decide(f"what is it {n}").tier for n in range(30)]
            assert {"small", "large"} == set(tiers)
    assert sum(read + 2 * written for read, written in server.charged) / 1000 <= 1.0


def test_a_service_that_is_run_has_one(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    monkeypatch.setattr(endpoints, "_LONGEST_WAIT_S", 0.0)
    servers: list[uvicorn.Server] = []
    start = uvicorn.Server.run

    def watched(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        servers.append(self)
        start(self, sockets)

    class Told:
        url = ""

        def step(self, what: str, done: float, total: float) -> None: ...

        def say(self, message: str) -> None:
            self.url = message.rsplit(" ", 1)[1]

    monkeypatch.setattr(uvicorn.Server, "run", watched)
    path, heard = budgeted(tmp_path, per_month=None, url=server.url), Told()
    thread = threading.Thread(target=run, args=(path,), kwargs={"port": 0, "progress": heard})
    thread.start()
    try:
        while not (servers and servers[0].started):
            assert thread.is_alive()
            time.sleep(0.01)
        with closing(httpx.Client(base_url=heard.url)) as client:
            assert tier(client) == "large"
            server.faults.extend(Fault(headers={"retry-after": "3600"}) for _ in range(20))
            assert [tier(client) for _ in range(4)] == ["small"] * 4
            assert told(client) == ("open", 1.0, 1.0)
            assert len(server.bodies) == 6
    finally:
        for one in servers:
            one.should_exit = True
        thread.join(timeout=30)
