"""The service: a desk over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from payoff import __version__
from payoff.core.errors import PayoffError, ServiceError
from payoff.economics.actions import HANDOFF
from payoff.serve.bodies import DecideRequest, DecideResponse, ErrorResponse, parse, read_body
from payoff.serve.failures import install
from payoff.serve.gate import Gate
from payoff.serve.models import Models

if TYPE_CHECKING:
    from payoff.economics.decision import Decision
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours

_MOST_BODY_BYTES = 16_000_000
_ENVELOPE_BYTES = 65_536
_NOT_IN_SUMMARY = ("reliability", "reliability_uncalibrated")


def create_app(
    desk: Desk,
    *,
    journal: Journal | None = None,
    max_texts: int = 256,
    max_text_bytes: int = 100_000,
    max_waiting: int = 64,
    more: Sequence[tuple[Desk, Journal | None]] = (),
    books: Sequence[ServingHours] = (),
) -> FastAPI:
    """A service that answers ``/v1/decide``, ``/v1/model(s)``, ``/healthz`` and ``/readyz``.

    Args:
        desk: What decides where a request names no model.
        journal: Where decisions are written before their answers leave; None keeps none.
        max_texts: Texts in one request.
        max_text_bytes: UTF-8 bytes of one text.
        max_waiting: Requests that may wait for their turn; more are answered with PF707.
        more: Further models with their journals, asked by their names.
        books: What is told of a month's budget at ``/readyz``, where one is stated.

    Raises:
        ServiceError: PF712 where two models have one name.

    Example:
        >>> app = create_app(load("support.payoff"))  # doctest: +SKIP
    """
    models = Models([_Service(desk, journal), *(_Service(*one) for one in more)])
    app = FastAPI(title=f"payoff: {', '.join(models.names)}", version=__version__)
    install(app)
    gate = app.state.gate = Gate(max_waiting=max_waiting)
    # A character of JSON may take twice the bytes of the text it stands for (\uXXXX).
    max_body_bytes = min(2 * max_texts * max_text_bytes + _ENVELOPE_BYTES, _MOST_BODY_BYTES)

    @app.post(
        "/v1/decide",
        summary="Decide on one text or several",
        responses=_responses(200, 404, 409, 413, 422, 503, 507),
        openapi_extra=_body_schema(),
    )
    async def decide(request: Request) -> JSONResponse:
        begin = time.perf_counter()
        body = await read_body(request, max_body_bytes)
        asked = parse(body, max_texts=max_texts, max_text_bytes=max_text_bytes)
        service = models.of(asked.model)
        return JSONResponse(await gate.run(lambda: service.decide(asked, begin)))

    @app.get(
        "/v1/model",
        summary="What decides, and what was measured of it",
        responses=_responses(404),
    )
    async def model(model: str | None = None) -> JSONResponse:
        return JSONResponse({**models.of(model).facts(), **models.of(model).measured()})

    @app.get("/v1/models", summary="All that can be asked to decide, the usual one first")
    async def all_models() -> JSONResponse:
        return JSONResponse({"models": [one.facts() for one in models]})

    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", summary="It can decide and write down", responses=_responses(503))
    async def readyz() -> JSONResponse:
        return JSONResponse(await gate.run(lambda: _ready(models, books)))

    return app


def _ready(models: Iterable[_Service], books: Iterable[ServingHours]) -> dict[str, Any]:
    journals = [service.check() for service in models]
    budgets = [told for told in (one.as_dict() for one in books) if told is not None]
    ready = {"status": "ready", "journal": all(journals)}
    return ready | ({"budget": budgets} if budgets else {})


class _Service:
    """What the addresses do with one model, in a thread."""

    def __init__(self, desk: Desk, journal: Journal | None) -> None:
        self._desk = desk
        self._journal = journal

    @property
    def name(self) -> str:
        return self._desk.name

    def decide(self, asked: DecideRequest, begin: float) -> dict[str, Any]:
        texts = asked.all_texts
        if asked.text is not None:
            decisions = [self._desk.decide(asked.text, pair=asked.pair, segment=asked.segment)]
        else:
            decisions = self._desk.decide_many(
                asked.texts or (), pairs=asked.pairs, segments=asked.segments
            )
        latency_ms = (time.perf_counter() - begin) * 1e3
        self._write_down(asked, texts, decisions, latency_ms)
        plain = [decision.as_dict() for decision in decisions]
        answer = {"decision": plain[0]} if asked.text is not None else {"decisions": plain}
        return {"request_id": asked.request_id, "latency_ms": round(latency_ms, 3), **answer}

    def _write_down(
        self,
        asked: DecideRequest,
        texts: Sequence[str],
        decisions: Sequence[Decision],
        latency_ms: float,
    ) -> None:
        if self._journal is None:
            return
        from payoff.learn.entry import Entry, text_hash

        single = asked.text is not None
        self._journal.append(
            [
                Entry(
                    request_id=asked.request_id if single else f"{asked.request_id}/{number}",
                    artifact_sha256=self._desk.artifact.sha256,
                    text_sha256=text_hash(text, decision.segment),
                    action=decision.action,
                    label=decision.label,
                    probability=decision.probability,
                    worth=float(decision.worth),
                    currency=decision.worth.currency,
                    latency_ms=latency_ms,
                )
                for number, (text, decision) in enumerate(zip(texts, decisions, strict=True))
            ]
        )

    def check(self) -> bool:
        """Whether decisions are written down, once it is known that all works."""
        try:
            self._desk.artifact.runtime()
            if self._journal is not None:
                self._journal.check()
        except PayoffError as error:
            raise ServiceError("PF710", "service", str(error), mend="See the journal.") from error
        return self._journal is not None

    def facts(self) -> dict[str, Any]:
        desk, artifact = self._desk, self._desk.artifact
        return {
            "name": desk.name,
            "labels": list(desk.labels),
            "actions": [*desk.labels, HANDOFF],
            "currency": desk.currency,
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "tiers": [{"name": tier.name, "kind": tier.kind} for tier in artifact.tiers],
            "created_by": dict(artifact.manifest.created_by),
            "payoff": __version__,
        }

    def measured(self) -> dict[str, Any]:
        evidence = self._desk.evidence
        return {"evidence": {k: v for k, v in evidence.items() if k not in _NOT_IN_SUMMARY}}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": DecideResponse if s == 200 else ErrorResponse} for s in statuses}


def _body_schema() -> dict[str, Any]:
    content = {"application/json": {"schema": DecideRequest.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
