"""The addresses of the review queue, for programs: what waits for a person, and what it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from payoff.core.errors import ServiceError, did_you_mean
from payoff.serve.bodies import ErrorResponse, Limits, RequestId, read_body, read_json, too_large

if TYPE_CHECKING:
    from payoff.serve.figures import Figures
    from payoff.serve.gate import Gate
    from payoff.serve.models import Models
    from payoff.serve.served_model import ServedModel
    from payoff.serve.service import Service

_MOST = 200


class SuggestionBody(BaseModel):
    """A label and its probability."""

    label: str
    probability: float


class WaitingBody(BaseModel):
    """A request that waits; ``text`` is null where the journal does not keep it.

    ``worth`` is what it is worth to know the label, in ``currency`` of the answer; ``by_chance``
    says that it was drawn, so that what people say of it tells of all requests.
    """

    request_id: str
    time_utc: str
    text: str | None
    worth: float
    by_chance: bool
    suggestions: list[SuggestionBody]


class QueueResponse(BaseModel):
    """What waits for a person, what is worth most to label first."""

    model: str
    currency: str
    labels: list[str]
    n_waiting: int
    requests: list[WaitingBody]


class LabelBody(BaseModel):
    """What a person says of one request.

    Args:
        request_id: Of the decision.
        label: What it truly is.
        seconds: That the person took.
        feedback_id: Sent again with the same label, it is written once. One is made where none is
            given.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:/-]+$")]
    label: Annotated[str, Field(min_length=1, max_length=1000)]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    feedback_id: RequestId | None = None


class ReviewRequest(BaseModel):
    """What a person says of one request or several.

    Example:
        >>> ReviewRequest(labels=[LabelBody(request_id="r-1", label="refund")]).model is None
        True
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"labels": [{"request_id": "r-1", "label": "refund"}]}]},
    )

    labels: list[LabelBody]
    model: str | None = None


def review_routes(
    models: Models[ServedModel],
    gate: Gate,
    limits: Limits,
    figures: Figures,
    *,
    audit_share: float | None = None,
) -> APIRouter:
    """``/v1/review/next`` and ``/v1/review``; the name of the key says who labelled.

    Args:
        models: With their journals; those that keep none have no queue.
        gate: Through which it goes.
        limits: Of one request.
        figures: Count it.
        audit_share: Share of the queue that is drawn by chance; None takes what projects state.
    """
    router = APIRouter()
    errors: dict[int | str, dict[str, Any]] = {
        s: {"model": ErrorResponse} for s in (401, 403, 404, 422, 503)
    }

    @router.get(
        "/v1/review/next",
        summary="What waits for a person, what is worth most to label first",
        responses={200: {"model": QueueResponse}, **errors},
    )
    async def following(
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 20, model: str | None = None
    ) -> JSONResponse:
        service = models.of(model).service
        return JSONResponse(await gate.run(lambda: _queue(service, limit, audit_share)))

    @router.post(
        "/v1/review",
        summary="Label what waits for a person",
        responses={**errors, **{s: {"model": ErrorResponse} for s in (409, 413, 507)}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _schema()}},
            }
        },
    )
    async def review(request: Request) -> JSONResponse:
        body = read_json(ReviewRequest, await read_body(request, limits.body_bytes), limits)
        if len(body.labels) > limits.max_texts:
            most = f"at most {limits.max_texts:,}"
            raise too_large(f"{len(body.labels):,} labels", most, "body.labels")
        service = models.of(body.model).service
        person = str(getattr(request.state, "key_name", ""))
        taken = await gate.run(lambda: _label(service, body.labels, person))
        figures.told("person", len(body.labels))
        return JSONResponse(taken)

    return router


def check_label(label: str, labels: Sequence[str]) -> str:
    """The label, where the model knows it.

    Raises:
        ServiceError: PF766 where it does not, or there is none.

    Example:
        >>> check_label("refnd", ("billing", "refund"))
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF766 label: there is no 'refnd'. Did you mean 'refund'?
    """
    if label in labels:
        return label
    found = f"there is no '{label[:100]}'" if label else "none was chosen"
    raise ServiceError("PF766", "label", found, mend=did_you_mean(label[:100], labels))


def _queue(service: Service, limit: int, audit_share: float | None) -> dict[str, Any]:
    from payoff.learn.asked import audit_share_of
    from payoff.learn.neighbours import neighbours_of
    from payoff.learn.review import waiting

    desk, journal = service.desk, service.journal
    found = []
    if journal is not None:
        share = audit_share_of(desk.artifact, audit_share)
        beside = neighbours_of(journal, desk.name)
        found = waiting(journal, desk.policy, audit_share=share, beside=beside)
    return {
        "model": desk.name,
        "currency": desk.currency,
        "labels": list(desk.labels),
        "n_waiting": len(found),
        "requests": [
            {
                "request_id": one.request_id,
                "time_utc": one.time_utc,
                "text": one.text,
                "worth": one.worth,
                "by_chance": one.by_chance,
                "suggestions": [
                    {"label": label, "probability": round(probability, 6)}
                    for label, probability in one.suggestions
                ],
            }
            for one in found[:limit]
        ],
    }


def _label(service: Service, bodies: Iterable[LabelBody], person: str) -> dict[str, Any]:
    from payoff.learn.feedback import take
    from payoff.learn.review import labelled

    if service.journal is None:
        raise ServiceError("PF760", "review", "no journal is kept")
    told = []
    for one in bodies:
        label = check_label(one.label, service.labels)
        sent_as = one.feedback_id or uuid.uuid4().hex
        ids = [one.request_id]
        told += labelled(ids, label, person=person, seconds=one.seconds, sent_as=sent_as)
    taken = take(service.journal, told)
    return {"n_new": taken.n_new, "n_known": taken.n_known, "unknown": list(taken.unknown)}


def _schema() -> dict[str, Any]:
    """The schema of a request, with its parts inside."""
    schema = ReviewRequest.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["labels"]["items"] = parts["LabelBody"]
    return schema
