"""Traces by OpenTelemetry: where the time of a request goes, for those who collect such things.

The environment decides: with ``OTEL_TRACES_EXPORTER``, or an address in
``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``, spans are sent; without
them the SDK is not imported and nothing is done. Sampling, resource and batches follow
OpenTelemetry's own variables. No span holds a text, a key, a customer or a request id.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payoff.core.errors import MachineError
from payoff.core.extras import require

Context = Any
"""OpenTelemetry's, with a span in it; that library is an extra, so nothing here is of its types."""

_EXPORTER, _DISABLED, _NAME = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"
_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_GROUP = "opentelemetry_traces_exporter"  # how OpenTelemetry's packages name theirs
_OTLP = {"otlp": "otlp_proto_http"}
_WHY = "traces, which the environment (OTEL_…) wants,"
_MOST_NOTES = 256  # of a thread whose work belongs to no batch, nobody takes them
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")


@dataclass(frozen=True, slots=True)
class AskedTier:
    """A model of a cascade that was asked.

    Args:
        name: Of the tier.
        n_texts: Texts that it was asked about.
        begun: By `time.perf_counter`.
        ended: Likewise.
        code: Of the error where it could not be asked; empty where it answered.
    """

    name: str
    n_texts: int
    begun: float
    ended: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a batch was where, by `time.perf_counter`.

    Args:
        model: Its name.
        version: The first digits of the artifact's SHA-256.
        n_requests: Requests that were decided together.
        n_texts: Their texts.
        taken: Out of the line.
        decided: All of it that needs no endpoint.
        tiers: The models that were asked for it until then.
        answered: When an endpoint had answered outside the line; 0 where it was not asked there.
        asked: The models that were asked there.
        writing: When its turn to be written came.
        written: When it was on the disk and told; 0 where no journal is kept.
    """

    model: str
    version: str
    n_requests: int
    n_texts: int
    taken: float
    decided: float
    tiers: Sequence[AskedTier] = ()
    answered: float = 0.0
    asked: Sequence[AskedTier] = ()
    writing: float = 0.0
    written: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A request's part in a batch.

    Args:
        request: The request's span; None where it has none.
        begun: When it came, by `time.perf_counter`.
        n_texts: That it asked about.
    """

    request: Context
    begun: float
    n_texts: int


class Traces:
    """Makes spans of requests and of what is done for them.

    Args:
        provider: Of OpenTelemetry, with where the spans go.

    Attributes:
        api: OpenTelemetry's module of traces.
        tracer: Begins spans.
        propagator: Reads ``traceparent``.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider  # doctest: +SKIP
        >>> traces = Traces(TracerProvider())  # doctest: +SKIP
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.tracer = provider.get_tracer("payoff")
        self.api = require("opentelemetry.trace", "otel", _WHY)
        carried = require("opentelemetry.trace.propagation.tracecontext", "otel", _WHY)
        self.propagator = carried.TraceContextTextMapPropagator()
        self._since_ns = time.time_ns() - time.perf_counter_ns()
        self._notes = threading.local()

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] | None = None) -> Traces | None:
        """As the environment wants them; None where it says nothing of traces.

        Args:
            variables: In place of the environment's own, to decide whether and by which exporter.

        Raises:
            MachineError: PF803 where they are wanted, and OpenTelemetry or the exporter is missing.

        Example:
            >>> Traces.of_environment({}) is None
            True
        """
        found = os.environ if variables is None else variables
        name = wanted_exporter(found)
        if name is None:
            return None
        resources = require("opentelemetry.sdk.resources", "otel", _WHY)
        sdk = require("opentelemetry.sdk.trace", "otel", _WHY)
        export = require("opentelemetry.sdk.trace.export", "otel", _WHY)
        exporters = entry_points(group=_GROUP, name=_OTLP.get(name, name))
        if not exporters:
            raise MachineError(
                "PF803",
                _EXPORTER,
                f"'{name[:80]}' is the name of no exporter that is installed",
                mend="Run: pip install 'payoff[otel]', or install the package of that exporter.",
            )
        named = _NAME in found or "service.name" in found.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = resources.Resource.create({} if named else {"service.name": "payoff"})
        provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = next(iter(exporters)).load()()
        provider.add_span_processor(export.BatchSpanProcessor(exporter))
        return cls(provider)

    def here(self) -> Context:
        """The span of the request that this task answers; None where it is not recorded."""
        span = self.api.get_current_span()
        return self.api.set_span_in_context(span) if span.is_recording() else None

    def note(self, name: str, n_texts: int, begun: float, code: str) -> None:
        """Remember, for the batch of this thread, that a model was asked until now."""
        noted = self._notes.__dict__.setdefault("asked", deque(maxlen=_MOST_NOTES))
        noted.append(AskedTier(name, n_texts, begun, time.perf_counter(), code))

    def take_notes(self) -> list[AskedTier]:
        """What `note` was told in this thread since the last time."""
        asked: deque[AskedTier] = self._notes.__dict__.pop("asked", deque())
        return list(asked)

    def batch(self, parts: Iterable[Part], seen: Seen) -> None:
        """Spans of a batch, below each of its requests: waiting, models, endpoints, journal.

        Args:
            parts: Those of its requests that were written down together.
            seen: When they were where.
        """
        facts = {"payoff.model": seen.model, "payoff.version": seen.version}
        sizes = {"payoff.batch.requests": seen.n_requests, "payoff.batch.texts": seen.n_texts}
        of_batch = facts | sizes
        for part in (one for one in parts if one.request is not None):
            self._span("payoff.wait", part.request, part.begun, seen.taken, facts)
            own = of_batch | {"payoff.texts": part.n_texts}
            within = self._span("payoff.batch", part.request, seen.taken, seen.decided, own)
            self._tiers(within, seen.tiers)
            if seen.answered:
                aside = facts | {"payoff.texts": part.n_texts}
                beside = self._span(
                    "payoff.aside", part.request, seen.decided, seen.answered, aside
                )
                self._tiers(beside, seen.asked)
            if seen.written > seen.writing:
                self._span("payoff.commit", part.request, seen.writing, seen.written, of_batch)

    def _tiers(self, within: Context, tiers: Iterable[AskedTier]) -> None:
        for tier in tiers:
            told: dict[str, str | int] = {"payoff.tier": tier.name}
            told["payoff.tier.texts"] = tier.n_texts
            if tier.code:
                told["payoff.error"] = tier.code
            self._span("payoff.tier", within, tier.begun, tier.ended, told)

    def _span(
        self,
        name: str,
        parent: Context,
        begun: float,
        ended: float,
        told: Mapping[str, str | int],
    ) -> Context:
        """A span that is over already; gives the context of what is within it."""
        span = self.tracer.start_span(
            name, parent, attributes=dict(told), start_time=self._ns(begun)
        )
        span.end(self._ns(ended))
        return self.api.set_span_in_context(span, parent)

    def _ns(self, at: float) -> int:
        return self._since_ns + int(at * 1e9)

    def close(self) -> None:
        """Send what is not sent yet, and end."""
        self._provider.shutdown()


class Traced:
    """A span for each request, below the caller's own where it sends ``traceparent``.

    Args:
        app: What answers.
        traces: Makes the spans.
    """

    def __init__(self, app: ASGIApp, *, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traces, api = self._traces, self._traces.api
        sent = Headers(scope=scope)
        carrier = {k: sent[k] for k in ("traceparent", "tracestate") if k in sent}
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with traces.tracer.start_as_current_span(
            method,
            traces.propagator.extract(carrier),
            api.SpanKind.SERVER,
            {"http.request.method": method},
            record_exception=False,  # its text may hold what a caller sent
            set_status_on_exception=False,
        ) as span:
            try:
                await self._app(scope, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", "")
                if route:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)
                if status:
                    span.set_attribute("http.response.status_code", status)
                if status >= 500 or not status:
                    span.set_status(api.StatusCode.ERROR)


def wanted_exporter(variables: Mapping[str, str]) -> str | None:
    """The exporter that the environment wants; None where it wants no traces.

    Example:
        >>> wanted_exporter({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
        'otlp'
        >>> wanted_exporter({"OTEL_TRACES_EXPORTER": "none"}) is None, wanted_exporter({}) is None
        (True, True)
    """
    if variables.get(_DISABLED, "").strip().lower() == "true":
        return None
    name = variables.get(_EXPORTER, "").strip()
    if not name and any(variables.get(address, "").strip() for address in _ADDRESSES):
        return "otlp"
    return None if name in ("", "none") else name
