"""The service without a server answers as the one over HTTP does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from payoff.core.codes import catalogue
from payoff.core.errors import ArtifactError, ServiceError
from payoff.economics.desk import Desk
from payoff.serve.handler import Handler
from payoff.serve.reply import Reply


@pytest.fixture
def handler(artifact: Path) -> Iterator[Handler]:
    with Handler.open(artifact, threads=1) as handler:
        yield handler


BODIES = [
    b'{"text": "someone took my card", "request_id": "a"}',
    b'{"texts": ["hello", "charged twice"], "request_id": "b"}',
    b'{"texts": [], "request_id": "c"}',
    b'{"text": "hello", "model": "none", "request_id": "d"}',
    b'{"text": "a\\u0000b"}',
    b'{"text": 1, "x": 2}',
    b"{",
    b"",
    b"[" * 100_000,
    b'{"text": "\xff"}',
    json.dumps({"text": "x" * 100_001}).encode(),
    json.dumps({"texts": ["x"] * 257}).encode(),
    b" " * 16_000_001,
]


def test_each_answer_is_that_of_the_service(
    handler: Handler, serve: Callable[..., httpx.Client]
) -> None:
    client = serve()
    for body in BODIES:
        over_http = client.post("/v1/decide", content=body)
        reply = handler.answer("POST", "/v1/decide", body)
        told = over_http.json()
        assert reply.status == over_http.status_code, body[:80]
        assert json.loads(reply.body) == told | {
            key: reply.content[key] for key in ("latency_ms",) if key in told
        }
    for path in ("/v1/model", "/healthz", "/readyz"):
        assert json.loads(handler.answer("GET", path, b"").body) == client.get(path).json()


def test_addresses(handler: Handler) -> None:
    assert handler.answer("post", "/v1/decide/", b'{"text": "hello"}').status == 200
    for method, path in (("GET", "/v1/decide"), ("POST", "/"), ("GET", ""), ("GET", "/x" * 900)):
        reply = handler.answer(method, path, b"{}")
        assert reply.status == 404
        assert reply.content["error"]["code"] == "PF708"
        assert len(reply.body) < 700


def test_what_nobody_foresaw_is_told_by_its_id(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(desk, "begin", broken)
    reply = Handler(desk).answer("POST", "/v1/decide", b'{"text": "hello"}')
    assert reply.status == 500
    assert reply.content["error"]["code"] == "PF799"
    assert "out of memory" not in reply.body
    assert reply.content["error"]["where"].split()[-1] in caplog.text


def test_a_model_that_does_not_work_is_not_ready(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ArtifactError("PF504", "model.onnx", "it is cut short")

    monkeypatch.setattr(desk.artifact, "runtime", broken)
    reply = Handler(desk).answer("GET", "/readyz", b"")
    assert reply.status == catalogue()["PF710"].http_status
    assert reply.headers["retry-after"] == "2"
    assert "cut short" in caplog.text


def test_replies_are_json_in_utf_8() -> None:
    assert Reply(200, {"label": "退款"}).body == '{"label":"退款"}'
    assert Reply(200, {}).headers == {"content-type": "application/json"}
    assert "retry-after" not in Reply.of_error(ServiceError("PF701", "body", "no JSON")).headers
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = Reply(200, {"worth": float("nan")}).body


def test_no_server_and_no_training_library_is_imported(artifact: Path) -> None:
    code = f"""
import sys
from payoff.serve.handler import Handler
handler = Handler.open({str(artifact)!r}, threads=1)
assert handler.answer("POST", "/v1/decide", b'{{"text": "hello"}}').status == 200
print(*{{name.split(".")[0] for name in sys.modules}})
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "sklearn", "polars", "pandas", "scipy", "genai_prices"}
    server = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "click", "rich"}
    assert not set(ran.stdout.split()) & (heavy | server)
