"""The service: a desk over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from payoff import __version__
from payoff.serve.bodies import (
    DecideRequest,
    DecideResponse,
    ErrorResponse,
    Limits,
    parse,
    read_body,
)
from payoff.serve.failures import install
from payoff.serve.gate import Gate
from payoff.serve.models import Models
from payoff.serve.open_inference import open_inference
from payoff.serve.service import Service

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours


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

    It answers two protocols of hosts too: ``/ping`` and ``/invocations``, as SageMaker asks, and
    ``/v2/…``, the Open Inference Protocol (see `payoff.serve.open_inference`).

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
    models = Models([Service(desk, journal), *(Service(*one) for one in more)])
    app = FastAPI(title=f"payoff: {', '.join(models.names)}", version=__version__)
    install(app)
    gate = app.state.gate = Gate(max_waiting=max_waiting)
    limits = Limits(max_texts, max_text_bytes)

    app.include_router(open_inference(models, gate, limits))

    @app.post("/invocations", summary="The same, where SageMaker asks", responses=_responses(200))
    @app.post(
        "/v1/decide",
        summary="Decide on one text or several",
        responses=_responses(200, 404, 409, 413, 422, 503, 507),
        openapi_extra=_body_schema(),
    )
    async def decide(request: Request) -> JSONResponse:
        begin = time.perf_counter()
        body = await read_body(request, limits.body_bytes)
        asked = parse(body, limits)
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

    @app.get("/ping", summary="The same, where SageMaker asks", responses=_responses(503))
    @app.get("/readyz", summary="It can decide and write down", responses=_responses(503))
    async def readyz() -> JSONResponse:
        return JSONResponse(await gate.run(lambda: _ready(models, books)))

    return app


def _ready(models: Iterable[Service], books: Iterable[ServingHours]) -> dict[str, Any]:
    journals = [service.check() for service in models]
    budgets = [told for told in (one.as_dict() for one in books) if told is not None]
    ready = {"status": "ready", "journal": all(journals)}
    return ready | ({"budget": budgets} if budgets else {})


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": DecideResponse if s == 200 else ErrorResponse} for s in statuses}


def _body_schema() -> dict[str, Any]:
    content = {"application/json": {"schema": DecideRequest.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
