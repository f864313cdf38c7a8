"""Spans of what is done for a request: whose they are, what they hold, and that none are made."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.artifact.chat_server import ChatServer, Fault, said, serving
from tests.serve.budgeted import budgeted
from tests.serve.conftest import answering

from payoff.core.errors import MachineError
from payoff.economics.desk import Desk, load
from payoff.learn.api_keys import make_key
from payoff.learn.journal import Journal
from payoff.serve import traces as traces_module
from payoff.serve.app import create_app
from payoff.serve.endpoints import keep_answering
from payoff.serve.traces import Traces, wanted_exporter

MISSING = "pip install 'payoff[otel]'"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def kept() -> Iterator[tuple[Traces, Callable[[], list[Any]]]]:
    """Traces that are kept in memory, and what was kept so far."""
    pytest.importorskip("opentelemetry.sdk.trace", reason=MISSING)
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Traces(provider), lambda: list(exporter.get_finished_spans())
    provider.shutdown()


def named(spans: list[Any], name: str) -> list[Any]:
    return [span for span in spans if span.name == name]


def within(inner: Any, outer: Any) -> bool:
    """Whether one is the other's child, in its trace and in its time."""
    same = inner.context.trace_id == outer.context.trace_id
    return same and inner.parent.span_id == outer.context.span_id


def test_a_request_from_its_line_to_the_disk(
    kept: tuple[Traces, Callable[[], list[Any]]], desk: Desk, journal: Journal
) -> None:
    traces, spans = kept
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    with answering(create_app(desk, journal=journal, traces=traces)) as client:
        asked = {"texts": ["my secret card", "refund"], "customer": "Ann", "request_id": "order-7"}
        assert client.post("/v1/decide", json=asked, headers=headers).status_code == 200
        assert client.post("/v1/decide", json={"text": "refund"}).status_code == 200
        assert client.get("/nothing/secret").status_code == 404
    found = spans()  # the app has ended: the last batch has told all
    (first, second) = named(found, "POST /v1/decide")
    assert (f"{first.context.trace_id:032x}", f"{first.parent.span_id:016x}") == (TRACE, CALLER)
    assert second.parent is None
    assert second.context.trace_id != first.context.trace_id
    for request, n in ((first, 2), (second, 1)):
        own = [s for s in found if s.context.trace_id == request.context.trace_id]
        (wait,), (batch,), (commit,) = (
            named(own, f"payoff.{name}") for name in ("wait", "batch", "commit")
        )
        (tier,) = named(own, "payoff.tier")
        assert all(within(one, request) for one in (wait, batch, commit))
        assert within(tier, batch)
        assert wait.end_time == batch.start_time
        assert batch.start_time <= tier.start_time <= tier.end_time <= batch.end_time
        assert batch.end_time <= commit.start_time < commit.end_time
        assert dict(batch.attributes) == {
            "payoff.model": "tickets",
            "payoff.version": desk.artifact.sha256[:12],
            "payoff.batch.requests": 1,
            "payoff.batch.texts": n,
            "payoff.texts": n,
        }
        assert dict(request.attributes) == {
            "http.request.method": "POST",
            "http.route": "/v1/decide",
            "http.response.status_code": 200,
        }
    (other,) = named(found, "GET")
    assert dict(other.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 404,
    }
    told = "\n".join(span.to_json() for span in found)
    for secret in ("secret", "refund", "Ann", "order-7"):
        assert secret not in told


def test_requests_of_one_batch_each_have_its_spans(
    kept: tuple[Traces, Callable[[], list[Any]]], desk: Desk
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    traces, spans = kept
    with (
        answering(create_app(desk, traces=traces)) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = pool.map(
            lambda n: client.post("/v1/decide", json={"text": f"card {n}"}).status_code, range(24)
        )
        assert set(answers) == {200}
    found = spans()
    requests = named(found, "POST /v1/decide")
    assert len({one.context.trace_id for one in requests}) == len(requests) == 24
    for name in ("payoff.wait", "payoff.batch", "payoff.tier"):
        assert len(named(found, name)) == 24
    assert not named(found, "payoff.commit")  # no journal is kept
    batches = named(found, "payoff.batch")
    assert sum(1 / one.attributes["payoff.batch.requests"] for one in batches) == pytest.approx(
        len({one.start_time for one in batches})
    )


def test_an_endpoint_is_a_tier_with_its_code(
    kept: tuple[Traces, Callable[[], list[Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traces, spans = kept
    with serving(ChatServer(lambda messages: said("good"))) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        with load(budgeted(tmp_path, per_month=None, url=server.url), threads=1) as desk:
            keep_answering(desk)
            (asks,) = desk.artifact.endpoints()
            asks.first_wait_s = 0.0
            with answering(create_app(desk, traces=traces)) as client:
                assert client.post("/v1/decide", json={"text": "what is it"}).status_code == 200
                server.faults.extend(Fault() for _ in range(2))
                assert client.post("/v1/decide", json={"text": "what is it"}).status_code == 200
    found = spans()
    tiers = [dict(one.attributes) for one in named(found, "payoff.tier")]
    small = {"payoff.tier": "small", "payoff.tier.texts": 1}
    large = {"payoff.tier": "large", "payoff.tier.texts": 1}
    assert tiers == [small, large, small, large | {"payoff.error": "PF813"}]
    batches, asides = named(found, "payoff.batch"), named(found, "payoff.aside")
    assert [one.attributes["payoff.batch.requests"] for one in batches] == [1, 1]
    for batch, aside, request in zip(batches, asides, named(found, "POST /v1/decide"), strict=True):
        assert within(batch, request)
        assert within(aside, request)
        assert aside.start_time == batch.end_time
        (asked,) = (one for one in named(found, "payoff.tier") if within(one, aside))
        assert asked.attributes["payoff.tier"] == "large"


@pytest.mark.parametrize(
    "header",
    ["", "00", f"00-{TRACE}-{CALLER}", f"00-{'0' * 32}-{CALLER}-01", "x" * 9000, "00-\x80-1-1"],
)
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(
    kept: tuple[Traces, Callable[[], list[Any]]], desk: Desk, header: str
) -> None:
    traces, spans = kept
    with answering(create_app(desk, traces=traces)) as client:
        sent = {"traceparent": header.encode("latin-1")}
        assert client.post("/v1/decide", json={"text": "card"}, headers=sent).status_code == 200
    (request,) = named(spans(), "POST /v1/decide")
    assert request.parent is None


def test_refusals_and_failures_are_seen_and_tell_no_key(
    kept: tuple[Traces, Callable[[], list[Any]]],
    desk: Desk,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traces, spans = kept
    _, key = make_key(journal, "shop", ["decide"])
    app = create_app(desk, journal=journal, traces=traces)

    @app.get("/breaks")
    async def breaks() -> None:
        raise KeyError("a secret text")

    with answering(app) as client:
        assert client.post("/v1/decide", json={"text": "x"}).status_code == 401
        mine = {"authorization": f"Bearer {key}"}
        assert client.get("/breaks", headers=mine).status_code == 500
    refused, broken = spans()
    assert refused.name == "POST"
    assert refused.attributes["http.response.status_code"] == 401
    assert refused.status.is_unset
    assert broken.status.status_code.name == "ERROR"
    told = refused.to_json() + broken.to_json()
    assert key not in told
    assert "secret" not in told


# --- whether and where to ---


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "shop"}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, "otlp"),
    ],
)
def test_the_environment_decides(variables: dict[str, str], wanted: str | None) -> None:
    assert wanted_exporter(variables) == wanted
    assert wanted is not None or Traces.of_environment(variables) is None


def test_what_is_wanted_and_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(MachineError, match=r"PF803.*payoff\[otel\]"):
        Traces.of_environment({"OTEL_TRACES_EXPORTER": "otlp"})


def test_an_exporter_of_an_unknown_name_is_told() -> None:
    pytest.importorskip("opentelemetry.sdk.trace", reason=MISSING)
    with pytest.raises(MachineError, match="PF803 OTEL_TRACES_EXPORTER: 'pigeon'"):
        Traces.of_environment({"OTEL_TRACES_EXPORTER": "pigeon"})


def test_no_sdk_is_imported_where_nobody_wants_it() -> None:
    """FastAPI imports OpenTelemetry's interface by itself, but nothing that sends spans."""
    code = (
        "import sys, payoff.serve.run, payoff.serve.app\n"
        "from payoff.serve.traces import Traces\n"
        "assert Traces.of_environment({}) is None\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter')\n"
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_spans_arrive_at_a_collector(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason=MISSING)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *told: object) -> None: ...

    with socketserver.TCPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{collector.server_address[1]}"
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
            traces = Traces.of_environment()
            with answering(create_app(desk, traces=traces)) as client:
                assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
        finally:
            collector.shutdown()
            thread.join(timeout=20)
    found = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    (resource,) = {str(r.resource) for one in found for r in one.resource_spans}
    assert 'string_value: "payoff"' in resource
    names = [
        span.name
        for one in found
        for resource_spans in one.resource_spans
        for scope in resource_spans.scope_spans
        for span in scope.spans
    ]
    assert sorted(names) == ["POST /v1/decide", "payoff.batch", "payoff.tier", "payoff.wait"]


def test_a_service_goes_on_where_the_collector_is_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason=MISSING)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with answering(create_app(desk, traces=Traces.of_environment())) as client:
        for _ in range(3):
            assert client.post("/v1/decide", json={"text": "card"}).status_code == 200


def test_notes_of_threads_that_compute_no_batch_are_bounded(
    kept: tuple[Traces, Callable[[], list[Any]]],
) -> None:
    traces, _ = kept
    for number in range(10_000):
        traces.note("x", number, 0.0, "")
    assert len(traces.take_notes()) == traces_module._MOST_NOTES
    assert traces.take_notes() == []
