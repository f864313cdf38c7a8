from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from payoff import Client
from payoff.core.errors import MachineError, PayoffError, Problems
from payoff.economics.desk import Desk
from payoff.learn.api_keys import make_key
from payoff.learn.feedback import told_of
from payoff.learn.journal import Journal
from payoff.serve.app import create_app

from .conftest import answering


def test_a_service_is_asked_as_a_desk_is(desk: Desk, journal: Journal) -> None:
    _, key = make_key(journal, "shop", ["decide", "feedback"])
    with answering(create_app(desk, journal=journal)) as http:
        with Client(str(http.base_url), key=key) as client:
            assert client.decide("我要退款", request_id="r-1") == desk.decide("我要退款")
            texts = [f"card {n}" for n in range(300)]
            assert client.decide_many(texts, customer="ann") == desk.decide_many(texts)
            assert client.tell("r-1", label="refund")
            assert not client.tell("r-9", correct=True)
            assert [model["name"] for model in client.models()] == ["tickets"]
            with pytest.raises(PayoffError, match="PF105"):
                client.decide("")
            with pytest.raises(Problems) as caught:
                client.decide("x", customer=7, segment=8)
            assert {one.code for one in caught.value.problems} == {"PF701"}
        with Client(str(http.base_url)) as nobody, pytest.raises(PayoffError, match="PF718"):
            nobody.models()
    assert [one.label for one in told_of(journal, ["r-1"])] == ["refund"]
    assert journal.count() == 301


@contextmanager
def unsteady(answers: list[tuple[int, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers in turn, the last one for ever; and what it was sent."""
    sent: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            status, body = answers[min(len(sent), len(answers)) - 1]
            if not status:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sent
        finally:
            server.shutdown()
            thread.join()


def test_a_request_is_sent_again_under_the_same_id(desk: Desk) -> None:
    good = b'{"decision": %s}' % _json(desk.decide("hello").as_dict())
    answers = [(503, b"{}"), (429, b"{}"), (0, b""), (200, good)]
    with unsteady(answers) as (url, sent), Client(url) as client:
        assert client.decide("hello") == desk.decide("hello")
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert b'"request_id"' in sent[0]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("answer", [(200, b"<html>"), (500, b"{}"), (404, b'{"detail": "x"}')])
def test_what_is_no_service_is_told(answer: tuple[int, bytes]) -> None:
    with (
        unsteady([answer]) as (url, _),
        Client(url, attempts=1) as client,
        pytest.raises(MachineError, match="PF809"),
    ):
        client.decide("hello")


def test_nobody_there_is_told() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
    with Client(url, attempts=2) as client, pytest.raises(MachineError, match="PF809"):
        client.decide("hello")
