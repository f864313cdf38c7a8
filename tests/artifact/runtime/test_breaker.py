"""A circuit breaker, against a second reckoning of the same rules, and under a client that asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.artifact.chat_server import ChatServer, Fault, said, serving

from payoff.artifact.runtime.breaker import Breaker
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.core.errors import MachineError

QUESTION = [{"role": "user", "content": "which?"}]


class Clock:
    """Seconds that pass only where they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(breaker: Breaker) -> Breaker:
    """One that has failed five times."""
    for _ in range(5):
        breaker.tell(False, "no answer")
    assert breaker.state == "open"
    return breaker


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, 4.0, 9.0, 40.0])), max_size=80))
def test_it_does_what_the_rules_say(steps: list[tuple[bool, float]]) -> None:
    """Each step: time passes, and whoever may ask learns whether there is an answer."""
    clock = Clock()
    breaker = Breaker(
        "x", in_a_row=3, share=0.5, window=6, first_pause_s=4.0, longest_pause_s=20.0, clock=clock
    )
    history: list[bool] = []
    until: float | None = None
    pause, closed_at = 4.0, -1e9
    for answered, seconds in steps:
        clock.now += seconds
        may = until is None or clock.now >= until
        if not may:
            with pytest.raises(MachineError, match="PF821"), breaker.passage():
                pass
            continue
        with breaker.passage():
            assert breaker.state == ("closed" if until is None else "half-open")
            breaker.check()
            breaker.tell(answered, "why")
        if until is not None:
            if answered:
                until, closed_at, history = None, clock.now, []
            else:
                pause = min(2 * pause, 20.0)
                until = clock.now + pause
            continue
        history.append(answered)
        last = history[-6:]
        failing = history[-3:] == [False] * 3 or (len(last) == 6 and last.count(False) >= 3)
        if not answered and failing:
            pause = min(2 * pause, 20.0) if clock.now - closed_at < pause else 4.0
            until = clock.now + pause
        assert breaker.state == ("closed" if until is None else "open")


def test_half_open_lets_one_thread_through_and_hears_no_other() -> None:
    clock = Clock()
    breaker = opened(Breaker("x", clock=clock))
    clock.now += 5.0
    told: list[object] = []

    def other() -> None:
        try:
            with breaker.passage():
                told.append("let in")
        except MachineError as error:
            told.append(error.code)
        with suppress(MachineError):
            breaker.check()
            told.append("may send")
        breaker.tell(True)  # an attempt from before it opened
        told.append(breaker.state)

    with breaker.passage():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert told == ["PF821", "half-open"]
        breaker.tell(True)
        assert breaker.state == "closed"


def test_a_trial_without_a_word_leaves_it_open_and_the_next_may_try() -> None:
    clock = Clock()
    breaker = opened(Breaker("x", clock=clock))
    clock.now += 5.0
    for _ in range(3):
        with suppress(KeyError), breaker.passage():
            raise KeyError("the budget")
        assert breaker.state == "open"
    with breaker.passage():
        breaker.tell(True)
    assert breaker.state == "closed"


def test_an_endpoint_that_asks_to_be_left_alone_is(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    breaker = Breaker("large", in_a_row=1, clock=clock)
    with caplog.at_level(logging.INFO, "payoff.endpoint"):
        breaker.tell(False, "it answered 429", wait_s=60.0)
        clock.now += 59.0
        with pytest.raises(MachineError, match=r"PF821 large.*tried again in 1 s.*429"):
            breaker.check()
        clock.now += 1.0
        with breaker.passage():
            breaker.tell(False, "it answered 429", wait_s=1e9)
        clock.now += 299.0
        with pytest.raises(MachineError, match="in 1 s"), breaker.passage():
            pass
        clock.now += 1.0
        with breaker.passage():
            breaker.tell(True)
    assert breaker.n_opened == 1
    assert [one.levelname for one in caplog.records] == ["WARNING", "WARNING"]  # once a change
    assert "left alone for 60 s: 1 of the last 1 attempts failed" in caplog.messages[0]
    assert "large is asked again" in caplog.messages[1]


# --- a client that has one -----------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("good"))) as running:
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        yield running


def client_of(server: ChatServer, clock: Clock, **options: object) -> EndpointClient:
    breaker = Breaker("large", clock=clock)
    return EndpointClient(
        server.url, "m", key_variable="none", breaker=breaker, first_wait_s=0.0, **options
    )  # type: ignore[arg-type]


def test_a_question_ends_where_its_own_attempts_open_it(server: ChatServer) -> None:
    clock = Clock()
    client = client_of(server, clock, tries=50)
    server.faults.extend(Fault() for _ in range(50))
    with pytest.raises(MachineError, match=r"PF821.*it answered 500"):
        client.ask([QUESTION], max_answer_tokens=8)
    assert client.n_requests == len(server.bodies) == 5
    with pytest.raises(MachineError, match="PF821"):
        client.ask([QUESTION], max_answer_tokens=8)
    assert client.n_requests == len(server.bodies) == 5  # nothing was sent


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=b"<html>"),
        Fault(status=401),
        Fault(status=404),
        Fault(status=429),
        Fault(status=503),
    ],
)
def test_what_opens_it(server: ChatServer, fault: Fault) -> None:
    client = client_of(server, Clock(), tries=1)
    server.faults.extend(fault for _ in range(5))
    for _ in range(5):
        with pytest.raises(MachineError):
            client.ask([QUESTION], max_answer_tokens=8)
    assert client.breaker is not None
    assert client.breaker.state == "open"


def test_one_question_that_is_refused_is_no_failure_of_the_endpoint(server: ChatServer) -> None:
    client = client_of(server, Clock(), tries=1)
    server.unknown = {"model"}  # 400 to everything
    for _ in range(10):
        with pytest.raises(MachineError, match="PF816"):
            client.ask([QUESTION], max_answer_tokens=8)
    assert client.breaker is not None
    assert client.breaker.state == "closed"


def test_the_trial_of_several_questions_goes_alone(server: ChatServer) -> None:
    clock = Clock()
    client = client_of(server, clock)
    assert client.breaker is not None
    opened(client.breaker)
    clock.now += 5.0
    questions = [[{"role": "user", "content": f"which {n}?"}] for n in range(6)]
    server.faults.append(Fault())
    with pytest.raises(MachineError, match="PF821"):
        client.ask(questions, max_answer_tokens=8)
    assert len(server.bodies) == 1
    clock.now += 10.0
    assert [a.text for a in client.ask(questions, max_answer_tokens=8)] == ["good"] * 6
    assert len(server.bodies) == 7
    assert client.breaker.state == "closed"


def test_an_answer_in_drops_or_without_end_is_given_up() -> None:
    """No limit of httpx's own ends this one: something comes all the time."""
    import socket

    def send(listener: socket.socket, piece: bytes, length: int) -> None:
        with suppress(OSError):
            raw, _ = listener.accept()
            with raw:
                raw.recv(65536)
                raw.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
                while not stop.wait(0.01):
                    raw.sendall(piece)

    for piece, length, told in ((b" ", 1000, "not whole in"), (b" " * 10**6, 10**9, "more than")):
        stop = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=send, args=(listener, piece, length))
            thread.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            client = EndpointClient(url, "m", key_variable="none", tries=1, timeout_s=0.2)
            if length > 10**8:
                client.timeout_s = 20.0
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PAYOFF_ENDPOINT", url)
                with pytest.raises(MachineError, match=f"PF813.*{told}"):
                    client.ask([QUESTION], max_answer_tokens=8)
            stop.set()
            thread.join(timeout=20)
            assert not thread.is_alive()
