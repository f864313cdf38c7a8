"""The Open Inference Protocol, version 2: how KServe, Triton and their clients ask.

Source: https://github.com/kserve/open-inference-protocol, "Inference Protocol HTTP/REST".
Tensors travel as JSON; the extension for binary tensors is not spoken.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from payoff import __version__
from payoff.core.errors import PayoffError, ServiceError, did_you_mean, raise_all
from payoff.serve.bodies import DecideRequest, ErrorResponse, Limits, read_body, read_json
from payoff.serve.gate import Gate
from payoff.serve.models import Models
from payoff.serve.reply import Reply
from payoff.serve.served_model import ServedModel
from payoff.serve.service import Answer, Service

_LOG = logging.getLogger("payoff.serve")
_INPUTS = {"text": "texts", "pair": "pairs", "segment": "segments"}
_OUTPUTS = ("label", "action", "probabilities")
_MOST_PROBLEMS = 20
_MOST_NAME = 80
_BINARY = "inference-header-content-length"


class Tensor(BaseModel):
    """One of a request's inputs: texts, as ``[n]`` or ``[n, 1]`` of datatype ``BYTES``."""

    model_config = ConfigDict(strict=True)

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class Wanted(BaseModel):
    """One of the outputs that a request names."""

    model_config = ConfigDict(strict=True)

    name: str


class InferFailure(BaseModel):
    """What went wrong and how to mend it, in one text that begins with payoff's code."""

    error: str


Answered = Callable[[Request, ServedModel, DecideRequest, float], Awaitable[Answer]]
"""Gives the answer to what is asked of a model, once it is written down."""


class InferRequest(BaseModel):
    """What is asked: ``text`` among ``inputs``, beside it ``pair`` and ``segment`` if need be.

    Args:
        inputs: Texts to decide on.
        outputs: Those of ``label``, ``action`` and ``probabilities`` that are wanted; all where it
            is not given.
        id: Sent back as it came.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]}
            ]
        },
    )

    inputs: list[Tensor]
    outputs: list[Wanted] | None = None
    id: str | None = None

    def asked(self) -> DecideRequest:
        """The request as ``/v1/decide`` has it.

        Raises:
            ServiceError: PF701 where the tensors are no texts, or not as many.

        Example:
            >>> tensor = Tensor(name="text", shape=[2, 1], datatype="BYTES", data=[["a"], ["b"]])
            >>> InferRequest(inputs=[tensor]).asked().texts
            ['a', 'b']
        """
        raise_all(islice(self._problems(), _MOST_PROBLEMS))
        names = [one.name for one in self.inputs]
        columns = {_INPUTS[one.name]: _flat(one.data) for one in self.inputs}
        counts = {len(column) for column in columns.values()}
        if "text" not in names or len(set(names)) < len(names) or len(counts) != 1:
            expected = "'text' once, and as many of 'pair' and 'segment' where they are given"
            raise _wrong("inputs", ", ".join(names)[:200] or "none", expected)
        return DecideRequest.model_validate(columns)

    def _problems(self) -> Iterator[ServiceError]:
        for one in self.inputs:
            where = f"inputs.{one.name[:80]}"
            values = _flat(one.data)
            if one.name not in _INPUTS:
                yield _wrong(where, "there is no such input", ", ".join(_INPUTS), one.name)
            elif one.datatype != "BYTES":
                yield _wrong(where, f"datatype '{one.datatype[:80]}'", "BYTES")
            elif not all(isinstance(value, str) for value in values):
                yield _wrong(where, "data that is no text", "strings")
            elif not 1 <= len(one.shape) <= 2 or one.shape[1:] not in ([], [1]):
                yield _wrong(where, f"shape {str(one.shape)[:80]}", "[n] or [n, 1]")
            elif math.prod(one.shape) != len(values):
                yield _wrong(
                    where, f"{len(values)} values in shape {str(one.shape)[:80]}", "as many"
                )
        for wanted in self.outputs or ():
            if wanted.name not in _OUTPUTS:
                where = f"outputs.{wanted.name[:80]}"
                yield _wrong(where, "there is no such output", ", ".join(_OUTPUTS), wanted.name)

    def as_tensors(self, answer: Answer) -> dict[str, Any]:
        """What was decided, as the tensors that are wanted."""
        decisions, probabilities = answer.decisions, answer.probabilities
        service = answer.service
        tensors = {
            "label": _texts("label", [decision.label for decision in decisions]),
            "action": _texts("action", [decision.action for decision in decisions]),
            "probabilities": {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [len(decisions), len(service.labels)],
                "data": probabilities.ravel().tolist(),
            },
        }
        names = _OUTPUTS if self.outputs is None else [one.name for one in self.outputs]
        return {
            "model_name": service.name,
            "model_version": service.sha256,
            **({} if self.id is None else {"id": self.id}),
            "parameters": {"request_id": answer.asked.request_id},
            "outputs": [tensors[name] for name in names],
        }


def open_inference(
    models: Models[ServedModel], answered: Answered, gate: Gate, limits: Limits
) -> APIRouter:
    """The addresses below ``/v2``.

    Args:
        models: Asked by their names.
        answered: Decides on what is asked of a model, as for ``/v1/decide``.
        gate: Through which checks go.
        limits: Of one request.

    Example:
        >>> router = open_inference(models, answered, gate, Limits())  # doctest: +SKIP
        >>> app.include_router(router)  # doctest: +SKIP
    """
    router = APIRouter(
        prefix="/v2",
        route_class=_Told,
        tags=["Open Inference Protocol"],
        responses={status: {"model": ErrorResponse} for status in (401, 403, 429)},
    )
    named: dict[int | str, dict[str, Any]] = {s: {"model": InferFailure} for s in (404, 422, 503)}

    @router.get("", summary="What speaks")
    async def server() -> dict[str, Any]:
        return {"name": "payoff", "version": __version__, "extensions": []}

    @router.get("/health/live", summary="The process is alive")
    async def live() -> dict[str, Any]:
        return {"live": True}

    @router.get(
        "/health/ready",
        summary="All models can decide and write down",
        responses={503: {"model": InferFailure}},
    )
    async def ready() -> dict[str, Any]:
        await gate.run(lambda: [one.service.check() for one in models])
        return {"ready": True}

    @router.get(
        "/models/{name}/ready", summary="One model can decide and write down", responses=named
    )
    async def model_ready(name: str) -> dict[str, Any]:
        await gate.run(models.of(name).service.check)
        return {"name": name, "ready": True}

    @router.get("/models/{name}", summary="What a model takes and gives", responses=named)
    async def model(name: str) -> dict[str, Any]:
        return _metadata(models.of(name).service)

    @router.post(
        "/models/{name}/infer",
        summary="Decide on texts",
        responses=named | {s: {"model": InferFailure} for s in (408, 409, 413, 504, 507)},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _schema()}},
            }
        },
    )
    async def infer(name: str, request: Request) -> JSONResponse:
        begin = time.perf_counter()
        served = models.of(name)
        if _BINARY in request.headers:
            raise ServiceError(
                "PF701",
                "body",
                "tensors in binary",
                expected="tensors in JSON",
                mend="In tritonclient: set_data_from_numpy(…, binary_data=False).",
            )
        body = await read_body(request, limits.body_bytes)
        inference = read_json(InferRequest, body, limits)
        asked = inference.asked()
        limits.check(asked.all_texts)
        return JSONResponse(inference.as_tensors(await answered(request, served, asked, begin)))

    return router


class _Told(APIRoute):
    """Tells failures as the protocol does: ``{"error": "…"}``, with payoff's code in the text."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except PayoffError as error:
                reply = Reply.of_error(error)
                if reply.status >= 500:
                    _LOG.error("%s %s: %s", request.method, request.scope["path"], error)
                return JSONResponse(
                    {"error": str(error)}, reply.status, headers=dict(reply.headers)
                )

        return told


def _metadata(service: Service) -> dict[str, Any]:
    inputs = ("text", "pair", "segment") if service.reads_pairs else ("text", "segment")
    return {
        "name": service.name,
        "versions": [service.sha256],
        "platform": "payoff",
        "inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in inputs],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "action", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, len(service.labels)]},
        ],
        "parameters": {"labels": list(service.labels)},
    }


def _schema() -> dict[str, Any]:
    """The schema of a request, with its parts inside."""
    schema = InferRequest.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["inputs"]["items"] = parts["Tensor"]
    schema["properties"]["outputs"]["anyOf"][0]["items"] = parts["Wanted"]
    return schema


def _texts(name: str, values: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": list(values)}


def _flat(data: Sequence[Any]) -> list[Any]:
    """Rows of one value each may come as lists of their own."""
    return [v[0] if isinstance(v, list) and len(v) == 1 else v for v in data]


def _wrong(where: str, found: str, expected: str, near: str = "") -> ServiceError:
    known = _OUTPUTS if where.startswith("outputs") else tuple(_INPUTS)
    mend = did_you_mean(near[:_MOST_NAME], known)
    return ServiceError("PF701", f"body.{where}", found, expected=expected, mend=mend)
