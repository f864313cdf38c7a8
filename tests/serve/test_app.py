from __future__ import annotations

import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from payoff.core.codes import catalogue
from payoff.economics.desk import Desk
from payoff.learn.entry import customer_hash, read_probabilities, text_hash
from payoff.learn.journal import Journal
from payoff.learn.tables import texts as text_rows
from payoff.serve.app import create_app

from .conftest import answering

Serve = Callable[..., httpx.Client]


def error(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which must have payoff's shape and no traceback."""
    body = response.json()
    assert set(body) == {"error"}, body
    found = dict(body["error"])
    assert {"code", "where", "found", "expected", "mend"} <= set(found)
    assert found["code"] in catalogue()
    assert "Traceback" not in response.text
    assert '.py"' not in response.text
    return found


def test_one_text_and_several(serve: Serve, desk: Desk) -> None:
    client = serve()
    one = client.post("/v1/decide", json={"text": "someone took my card"})
    assert one.status_code == 200
    assert one.json()["decision"] == desk.decide("someone took my card").as_dict()
    assert len(one.json()["request_id"]) == 32
    assert one.json()["latency_ms"] > 0
    texts = ["我要退款", "hello", "charged twice", "😀 ÄÖÜ"]
    many = client.post("/v1/decide", json={"texts": texts, "request_id": "order-7:a.b_c"})
    assert many.json()["request_id"] == "order-7:a.b_c"
    assert many.json()["decisions"] == [d.as_dict() for d in desk.decide_many(texts)]
    assert client.post("/v1/decide", json={"texts": []}).json()["decisions"] == []


def test_health_model_and_schema(serve: Serve, desk: Desk, journal: Journal) -> None:
    client = serve(journal=journal)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "journal": True}
    model = client.get("/v1/model").json()
    assert model["name"] == "tickets"
    assert model["labels"] == ["billing", "card", "refund"]
    assert model["actions"] == [*model["labels"], "handoff"]
    assert model["sha256"] == desk.artifact.sha256
    assert 0 < model["evidence"]["quality"]["accuracy"] <= 1
    assert "reliability" not in model["evidence"]
    schema = client.get("/openapi.json").json()
    decide = schema["paths"]["/v1/decide"]["post"]
    properties = decide["requestBody"]["content"]["application/json"]["schema"]["properties"]
    several = {"texts", "pairs", "segments"}
    assert set(properties) == {
        *("text", "pair", "segment", *several, "model", "request_id"),
        *("customer", "within_ms"),
    }
    assert {"200", "422", "413"} <= set(decide["responses"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "PF701"),
        (b"{", 422, "PF701"),
        (b"null", 422, "PF701"),
        (b"[]", 422, "PF701"),
        (b'"text"', 422, "PF701"),
        (b"{}", 422, "PF701"),
        (b"\xff\xfe\x00", 422, "PF701"),
        (b"[" * 100_000, 422, "PF701"),
        (b'{"text":' * 50_000, 422, "PF701"),
        (b'{"text": 1}', 422, "PF701"),
        (b'{"text": null}', 422, "PF701"),
        (b'{"text": ["a"]}', 422, "PF701"),
        (b'{"text": "a", "texts": ["b"]}', 422, "PF701"),
        (b'{"texts": "abc"}', 422, "PF701"),
        (b'{"texts": ["a", 1, null]}', 422, "PF701"),
        (b'{"texts": {"0": "a"}}', 422, "PF701"),
        (b'{"text": "a", "label": "b"}', 422, "PF701"),
        (b'{"text": "a", "request_id": 7}', 422, "PF701"),
        (b'{"text": "a", "request_id": ""}', 422, "PF701"),
        (b'{"text": "a", "request_id": "a b"}', 422, "PF701"),
        (b'{"text": "a", "request_id": "' + b"x" * 151 + b'"}', 422, "PF701"),
        (b'{"text": NaN}', 422, "PF701"),
        (b'{"text": "\\ud800"}', 422, "PF701"),
        (b'{"text": "caf\xe9"}', 422, "PF701"),
        (b'{"text": ""}', None, "PF105"),
        (b'{"text": " \\n\\t "}', None, "PF105"),
        (b'{"text": "a\\u0000b"}', None, "PF105"),
        (b'{"texts": ["fine", ""]}', None, "PF105"),
    ],
)
def test_hostile_bodies(serve: Serve, body: bytes, status: int | None, code: str) -> None:
    response = serve().post("/v1/decide", content=body)
    assert error(response)["code"] == code
    assert response.status_code == (status or catalogue()[code].http_status)
    assert 400 <= response.status_code < 500


def test_all_problems_are_told_at_once(serve: Serve) -> None:
    found = error(serve().post("/v1/decide", json={"texts": ["a", 1, None], "x": 1}))
    assert [p["where"] for p in found["problems"]] == ["body.texts.1", "body.texts.2", "body.x"]
    many = error(serve().post("/v1/decide", json={"texts": [1] * 200}))
    assert len(many["problems"]) == 20


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/decide", b'{"texts": [' + b"1," * 200_000 + b"1]}"),
        ("/v1/decide", b'{"texts": ["a"], "segments": [' + b"{}," * 200_000 + b"{}]}"),
        ("/v1/decide", b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}"),
        ("/v1/feedback", b'{"feedback": [' + b"{}," * 200_000 + b"{}]}"),
        ("/v1/feedback", b'{"feedback": [' + b'{"request_id":"a"},' * 90_000 + b"{}]}"),
        ("/v1/review", b'{"labels": [' + b"[1,1]," * 100_000 + b"1]}"),
        ("/v2/models/tickets/infer", b'{"inputs": [' + b'{"shape":[""]},' * 100_000 + b"1]}"),
    ],
    ids=["texts", "segments", "keys", "feedback", "entries", "labels", "tensors"],
)
def test_a_crowd_of_wrong_values_is_refused_before_each_is_looked_at(
    serve: Serve, journal: Journal, path: str, body: bytes
) -> None:
    """Each wrong value would take a kilobyte, and keep all others waiting."""
    response = serve(journal=journal).post(path, content=body)
    assert response.status_code == 413
    assert "PF702" in response.text
    assert "more than 5,096 values" in response.text


def test_texts_of_commas_are_no_crowd(serve: Serve) -> None:
    texts = ["a,[{" * 10_000] * 3
    response = serve().post("/v1/decide", json={"texts": texts, "segments": [None] * 3})
    assert len(response.json()["decisions"]) == 3


def test_limits_are_told_with_their_figures(serve: Serve) -> None:
    client = serve(max_texts=3, max_text_bytes=10)
    assert client.post("/v1/decide", json={"texts": ["a"] * 3}).status_code == 200
    assert client.post("/v1/decide", json={"text": "x" * 10}).status_code == 200
    for body, figure in [
        ({"texts": ["a"] * 4}, "at most 3"),
        ({"text": "x" * 11}, "at most 10"),
        ({"texts": ["a", "退款退款"]}, "at most 10"),
        ({"text": "x" * 100_000}, "at most 65,596 bytes"),
    ]:
        response = client.post("/v1/decide", json=body)
        assert response.status_code == 413
        assert error(response)["code"] == "PF702"
        assert figure in error(response)["expected"]


def test_a_body_without_length_is_stopped_too(serve: Serve) -> None:
    sent = 0

    def chunks():  # type: ignore[no-untyped-def]
        nonlocal sent
        yield b'{"text": "'
        for _ in range(1000):
            sent += 10_000
            yield b"x" * 10_000

    client = serve(max_texts=1, max_text_bytes=10)
    try:
        response = client.post("/v1/decide", content=chunks())
        assert response.status_code == 413
        assert error(response)["code"] == "PF702"
    except httpx.WriteError:
        pass  # The service may close the connection before everything was sent.
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/decide", 405),
        ("DELETE", "/v1/model", 405),
        ("GET", "/v1/%2e%2e/%00", 404),
        ("POST", "/admin", 404),
    ],
)
def test_other_addresses(serve: Serve, method: str, path: str, status: int) -> None:
    response = serve().request(method, path)
    assert response.status_code == status
    assert error(response)["code"] == "PF708"
    assert ("allow" in response.headers) == (status == 405)


def test_no_http_at_all_and_a_client_that_goes_away(serve: Serve) -> None:
    client = serve()
    port = client.base_url.port
    assert port
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in raw.recv(1000)
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
    time.sleep(0.05)
    assert client.get("/healthz").status_code == 200


def test_many_at_once_are_all_answered_rightly(serve: Serve, desk: Desk, journal: Journal) -> None:
    client = serve(journal=journal, max_waiting=200)
    texts = ["someone took my card", "我要退款", "hello", "charged twice"]
    expected = {text: desk.decide(text).as_dict() for text in texts}

    def ask(i: int) -> bool:
        text = texts[i % len(texts)]
        response = client.post("/v1/decide", json={"text": text, "request_id": f"r-{i}"})
        return bool(response.json()["decision"] == expected[text])

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))
    assert journal.count() == 200


class Stopped:
    """A model that answers only once it may."""

    def __init__(self, desk: Desk) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self._answer = desk.artifact.runtime().logits
        desk.artifact._runtimes[0] = self  # type: ignore[assignment]

    def logits(self, texts: Any) -> Any:
        self.sizes.append(len(texts))
        self.begun.set()
        assert self.go.wait(20)
        return self._answer(texts)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_overload_is_refused_with_a_time_to_come_back(desk: Desk) -> None:
    model = Stopped(desk)
    app = create_app(desk, max_waiting=1)
    body = {"text": "hello"}
    batches = app.state.models.of(None)
    with answering(app) as client, ThreadPoolExecutor(3) as pool:
        try:
            jobs = [pool.submit(client.post, "/v1/decide", json=body, timeout=30)]
            until(model.begun.is_set)
            jobs += [pool.submit(client.post, "/v1/decide", json=body, timeout=30)]
            until(lambda: batches.inside == 2)
            refused = client.post("/v1/decide", json=body)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert error(refused)["code"] == "PF707"
            assert client.get("/healthz").status_code == 200
        finally:
            model.go.set()
        assert [job.result().status_code for job in jobs] == [200, 200]
        assert client.post("/v1/decide", json=body).status_code == 200
        assert batches.inside == 0


def test_what_waits_together_is_decided_and_written_together(desk: Desk, journal: Journal) -> None:
    model = Stopped(desk)
    app = create_app(desk, journal=journal)
    batches = app.state.models.of(None)
    with answering(app) as client, ThreadPoolExecutor(9) as pool:
        try:
            texts = ["hello", *[f"card {i}" for i in range(6)]]
            first = pool.submit(client.post, "/v1/decide", json={"text": texts[0]}, timeout=30)
            until(model.begun.is_set)
            rest = [
                pool.submit(client.post, "/v1/decide", json={"text": text}, timeout=30)
                for text in texts[1:]
            ]
            several = {"texts": ["a", "", "c"], "request_id": "bad"}
            bad = pool.submit(client.post, "/v1/decide", json=several, timeout=30)
            until(lambda: batches.inside == 8)
        finally:
            model.go.set()
        answers = [job.result().json() for job in (first, *rest)]
        assert error(bad.result())["code"] == "PF105"
    assert [one["decision"]["label"] for one in answers] == [desk.decide(t).label for t in texts]
    assert journal.count() == 7
    assert model.sizes[0] == 1


def test_a_request_that_comes_too_late_is_not_decided(desk: Desk, journal: Journal) -> None:
    model = Stopped(desk)
    app = create_app(desk, journal=journal)
    with answering(app) as client, ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(client.post, "/v1/decide", json={"text": "hello"}, timeout=30)
            until(model.begun.is_set)
            late = {"text": "late", "within_ms": 5, "request_id": "late"}
            second = pool.submit(client.post, "/v1/decide", json=late, timeout=30)
            until(lambda: bool(app.state.models.of(None).inside == 2))
            time.sleep(0.02)
        finally:
            model.go.set()
        assert first.result().status_code == 200
        assert second.result().status_code == 504
        assert error(second.result())["code"] == "PF714"
    assert journal.count() == 1


def test_a_caller_that_goes_away_leaves_the_line(desk: Desk, journal: Journal) -> None:
    model = Stopped(desk)
    app = create_app(desk, journal=journal)
    batches = app.state.models.of(None)
    with answering(app) as client, ThreadPoolExecutor(1) as pool:
        try:
            first = pool.submit(client.post, "/v1/decide", json={"text": "hello"}, timeout=30)
            until(model.begun.is_set)
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/decide", json={"text": "gone"}, timeout=0.1)
            until(lambda: batches.inside == 1)
        finally:
            model.go.set()
        assert first.result().status_code == 200
    assert journal.count() == 1


def test_texts_are_kept_only_where_wanted(desk: Desk, tmp_path: Path) -> None:
    text = "write to ann@example.org about my card"
    for texts, kept in (("none", []), ("redacted", [text]), ("whole", [text])):
        with Journal.open(tmp_path / f"{texts}.db") as book:
            with answering(create_app(desk, journal=book, texts=texts)) as client:
                client.post("/v1/decide", json={"text": text})
            with book.reading() as connection:
                found = list(connection.execute(select(text_rows.c.text)).scalars())
        assert len(found) == len(kept)
        assert ("ann@example.org" in "".join(found)) == (texts == "whole")


def test_a_customer_is_known_by_a_hash(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    for customer in ("ann", "ann", "bob", None):
        client.post("/v1/decide", json={"text": "hello", "customer": customer})
    first, second, third, fourth = journal.read()
    assert first.customer == second.customer == customer_hash("ann", journal.salt)
    assert third.customer not in ("", first.customer, "bob")
    assert fourth.customer == ""


def test_a_decision_can_be_replayed(serve: Serve, desk: Desk, journal: Journal) -> None:
    serve(journal=journal).post("/v1/decide", json={"text": "我要退款"})
    (entry,) = journal.read()
    assert entry.probabilities is not None
    found = read_probabilities(entry.probabilities)
    assert found == pytest.approx(desk.decide_fully(["我要退款"])[1][0], abs=1e-7)
    assert desk.labels[int(found.argmax())] == entry.label


def test_routes_added_later_fail_in_the_same_shape(desk: Desk) -> None:
    app = create_app(desk)

    @app.get("/square")
    def square(n: int) -> int:
        return n * n

    with answering(app) as client:
        assert client.get("/square?n=3").json() == 9
        response = client.get("/square?n=x")
        assert response.status_code == 422
        assert error(response)["code"] == "PF701"


def test_the_journal_has_it_before_the_answer_leaves(
    serve: Serve, desk: Desk, journal: Journal
) -> None:
    client = serve(journal=journal)
    answer = client.post("/v1/decide", json={"text": "我要退款", "request_id": "r-1"}).json()
    written = journal.read()[0]
    assert written.request_id == "r-1"
    assert written.text_sha256 == text_hash("我要退款")
    assert written.artifact_sha256 == desk.artifact.sha256
    assert written.action == answer["decision"]["action"] == "refund"
    assert written.worth == answer["decision"]["worth"]["amount"]
    assert written.currency == "USD"
    assert written.latency_ms == pytest.approx(answer["latency_ms"], abs=0.001)
    client.post("/v1/decide", json={"texts": ["hello", "hello"], "request_id": "r-2"})
    assert [e.request_id for e in journal.read()] == ["r-1", "r-2/0", "r-2/1"]


def test_a_request_sent_again_is_answered_again_and_written_once(
    serve: Serve, journal: Journal
) -> None:
    client = serve(journal=journal)
    body = {"text": "hello", "request_id": "r"}
    first, second = client.post("/v1/decide", json=body), client.post("/v1/decide", json=body)
    assert first.json()["decision"] == second.json()["decision"]
    assert journal.count() == 1
    other = client.post("/v1/decide", json={"text": "other", "request_id": "r"})
    assert other.status_code == 409
    assert error(other)["code"] == "PF709"


def test_without_journal_no_answer_leaves(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    database = journal._engine.url.database
    assert database
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    response = client.post("/v1/decide", json={"text": "hello"})
    assert response.status_code == 503
    assert error(response)["code"] == "PF703"
    assert response.headers["retry-after"] == "2"
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert error(ready)["code"] == "PF710"
    assert client.get("/healthz").status_code == 200
    other.execute("ROLLBACK")
    other.close()
    assert client.post("/v1/decide", json={"text": "hello"}).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_what_nobody_foresaw(serve: Serve, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def logits(self, texts: Any) -> Any:
            raise RuntimeError("secret detail")

    desk.artifact._runtimes[0] = Broken()
    response = serve().post("/v1/decide", json={"text": "hello"})
    assert response.status_code == 500
    found = error(response)
    assert found["code"] == "PF799"
    assert "secret detail" not in response.text
    told = found["where"].removeprefix("failure ")
    assert any(told in record.message for record in caplog.records)


def test_answers_are_utf8_json(serve: Serve) -> None:
    response = serve().post("/v1/decide", content='{"text": "我要退款 😀"}'.encode())
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.content.decode("utf-8"))["decision"]["label"] == "refund"
