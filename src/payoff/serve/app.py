"""The service: a desk over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from payoff import __version__
from payoff.serve.batches import Batches
from payoff.serve.bodies import (
    DecideRequest,
    DecideResponse,
    ErrorResponse,
    Limits,
    parse,
    read_body,
)
from payoff.serve.direct import Direct
from payoff.serve.experiments import Experiments
from payoff.serve.failures import install
from payoff.serve.feedback import feedback_routes
from payoff.serve.figures import CONTENT_TYPE, Figures
from payoff.serve.gate import Gate
from payoff.serve.guard import Guard, Keys, Rates
from payoff.serve.models import Models
from payoff.serve.open_inference import open_inference
from payoff.serve.releases import Releases
from payoff.serve.review import review_routes
from payoff.serve.served_model import ServedModel
from payoff.serve.service import Answer, Service, Texts
from payoff.serve.traces import Traced
from payoff.serve.version_routes import version_routes

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours
    from payoff.serve.traces import Traces

_T = TypeVar("_T")
_OF_DECIDING = (401, 403, 404, 408, 409, 413, 422, 429, 503, 504, 507)


def create_app(
    desk: Desk,
    *,
    journal: Journal | None = None,
    max_texts: int = 256,
    max_text_bytes: int = 100_000,
    max_waiting: int = 256,
    more: Sequence[tuple[Desk, Journal | None]] = (),
    versions: Sequence[Desk] = (),
    books: Sequence[ServingHours] = (),
    texts: Texts = "none",
    per_second: float | None = None,
    workers: int = 1,
    dashboard: bool = False,
    traces: Traces | None = None,
    audit_share: float | None = None,
    tell: Callable[[str], object] | None = None,
) -> FastAPI:
    """A service that answers ``/v1/decide``, ``/v1/feedback`` and what a host asks.

    It answers two protocols of hosts too: ``/ping`` and ``/invocations``, as SageMaker asks, and
    ``/v2/…``, the Open Inference Protocol (see `payoff.serve.open_inference`).

    Args:
        desk: What decides where a request names no model.
        journal: Where decisions are written before their answers leave; None keeps none. Its keys
            say who may ask.
        max_texts: Texts in one request.
        max_text_bytes: UTF-8 bytes of one text.
        max_waiting: Requests that may wait for their turn, and as many for an endpoint; more are
            answered with PF707.
        more: Further models with their journals, asked by their names.
        versions: Further versions of these models, for experiments and to be released.
        books: What is told of a month's budget at ``/readyz``, where one is stated and whoever asks
            may know it: where there are no keys.
        texts: What the journals keep of the texts, as `payoff.serve.service.Service` has it.
        per_second: Requests a second that each key may send; None for as many as it likes.
        workers: Batches of a model that are computed at a time. With desks of one thread, as many
            as there are cores: under load, several batches of one thread each are faster than one
            of several threads that wait for each other.
        dashboard: Serve pages for people below ``/dashboard``.
        traces: Told of every request, and ended with the app; None where nobody collects traces.
        audit_share: Share of the review queue that is drawn by chance; None takes what the project
            of each model states.
        tell: Told which version serves from now on; the log where None.

    Raises:
        ServiceError: PF712 where two models have one name; PF760 where a dashboard is wanted and no
            journal is kept; PF798 where the share of the queue is none.
        ProjectError: PF202 or PF203 where what a project states of the review queue is wrong.
        MachineError: PF803 where a dashboard is wanted and jinja2 is not installed.

    Example:
        >>> app = create_app(load("support.payoff"))  # doctest: +SKIP
    """

    def line(one: Desk, book: Journal | None) -> Batches:
        service = Service(one, book, texts=texts)
        if traces is not None:
            one.on_asked = traces.note
        return Batches(service, max_waiting=max_waiting, workers=workers, traces=traces)

    def served(one: Desk, book: Journal | None) -> ServedModel:
        return ServedModel(
            line(one, book),
            [line(other, book) for other in versions if other.name == one.name],
            open_line=lambda newer: line(newer, book),
            books=next((hours for hours in books if hours.project == one.name), None),
        )

    models = Models([served(one, book) for one, book in [(desk, journal), *more]])
    if journal is not None:
        from payoff.learn.asked import audit_share_of

        for one in models:
            audit_share_of(one.service.desk.artifact, audit_share)
    experiments = Experiments(models)
    releases = Releases(models, experiments, tell=tell)
    figures = Figures(list(models))

    keys = None if journal is None else Keys(journal)
    gate = Gate()
    limits = Limits(max_texts, max_text_bytes)
    pages = None
    if dashboard:
        from payoff.serve.dashboard.pages import Dashboard

        pages = Dashboard(
            models, keys, gate, releases, limits=limits, books=books, audit_share=audit_share
        )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with nullcontext() if pages is None else pages.warm():
            async with releases.followed():
                yield
        for end in (*(one.close for one in models), *ends):
            await run_in_threadpool(end)

    title = f"payoff: {', '.join(models.names)}"
    app = FastAPI(title=title, version=__version__, lifespan=lifespan)
    install(app)
    rates = None if per_second is None else Rates(per_second, burst=max(1, round(per_second)))
    app.add_middleware(Guard, keys=keys, rates=rates)
    ends: list[Callable[[], None]] = []
    if traces is not None:
        app.add_middleware(Traced, traces=traces)
        ends.append(traces.close)
    app.state.models, app.state.figures, app.state.releases = models, figures, releases

    async def answered(
        request: Request, model: ServedModel, asked: DecideRequest, begin: float
    ) -> Answer:
        work = experiments.decide(model, asked, begin)
        must_wait = model.inside > 0 or model.asks_endpoints
        answer = await _unless_gone(request, work, must_wait)
        figures.decided(answer, time.perf_counter() - begin)
        return answer

    first = APIRouter(route_class=Direct)  # asked most: no other address is looked at before
    told: dict[str, Any] = {"responses": _responses(200, *_OF_DECIDING)}
    told["openapi_extra"] = _body_schema()

    @first.post("/invocations", summary="The same, where SageMaker asks", **told)
    @first.post("/v1/decide", summary="Decide on one text or several", **told)
    async def decide(request: Request) -> JSONResponse:
        begin = time.perf_counter()
        with figures.refusals():
            asked = parse(await read_body(request, limits.body_bytes), limits)
            answer = await answered(request, models.of(asked.model), asked, begin)
        return JSONResponse(answer.as_dict())

    app.include_router(first)
    app.include_router(open_inference(models, answered, gate, limits))
    if journal is not None:
        app.include_router(feedback_routes(models, gate, limits, figures))
        app.include_router(review_routes(models, gate, limits, figures, audit_share=audit_share))
        app.include_router(version_routes(models, releases, keys, limits))
    if pages is not None:
        app.include_router(pages.routes())

    @app.get(
        "/v1/model",
        summary="What decides, and what was measured of it",
        responses=_responses(401, 403, 404, 422, 429, 503),
    )
    async def model(model: str | None = None) -> JSONResponse:
        service = models.of(model).service
        return JSONResponse({**service.facts(), **service.measured()})

    @app.get(
        "/v1/models",
        summary="All that can be asked to decide, the usual one first",
        responses=_responses(401, 403, 429, 503),
    )
    async def all_models() -> JSONResponse:
        return JSONResponse({"models": [one.facts() for one in models]})

    @app.get("/healthz", summary="The process is alive")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/ping", summary="The same, where SageMaker asks", responses=_responses(503))
    @app.get("/readyz", summary="It can decide and write down", responses=_responses(503))
    async def readyz() -> JSONResponse:
        return JSONResponse(await gate.run(lambda: _ready(models, books, keys)))

    @app.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=PlainTextResponse,
        responses=_responses(401, 403, 429, 503),
    )
    async def metrics() -> Response:
        return Response(figures.text(), media_type=CONTENT_TYPE)

    return app


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T], must_wait: bool) -> _T:
    """What the work gives; where it has to wait and its caller goes away, it is given up.

    Raises:
        ClientDisconnect: Where it was.
    """
    if not must_wait:
        return await work
    task = asyncio.current_task()
    assert task is not None
    gone = asyncio.ensure_future(request.receive())
    has_left = False

    def give_up(_: object) -> None:
        nonlocal has_left
        has_left = True
        task.cancel()

    gone.add_done_callback(give_up)
    try:
        return await work
    except asyncio.CancelledError:
        if has_left and not task.uncancel():  # nobody else cancelled it
            raise ClientDisconnect from None
        raise
    finally:
        gone.remove_done_callback(give_up)
        gone.cancel()


def _ready(
    models: Iterable[ServedModel], books: Iterable[ServingHours], keys: Keys | None
) -> dict[str, Any]:
    journals = [one.service.check() for one in models]
    if keys is not None and keys.read():
        books = ()  # whoever asks whether it is ready sends no key
    budgets = [told for told in (one.as_dict() for one in books) if told is not None]
    ready = {"status": "ready", "journal": all(journals)}
    return ready | ({"budget": budgets} if budgets else {})


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": DecideResponse if s == 200 else ErrorResponse} for s in statuses}


def _body_schema() -> dict[str, Any]:
    content = {"application/json": {"schema": DecideRequest.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
