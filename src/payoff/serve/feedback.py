"""The addresses where a service is told what came out of its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from payoff.core.errors import ServiceError
from payoff.serve.bodies import ErrorResponse, Limits, RequestId, read_body, read_json, too_large

if TYPE_CHECKING:
    from payoff.learn.feedback import Feedback
    from payoff.learn.journal import Journal
    from payoff.serve.figures import Figures
    from payoff.serve.gate import Gate
    from payoff.serve.models import Models
    from payoff.serve.served_model import ServedModel


class ToldBody(BaseModel):
    """What came out of one decision: at least one of ``label``, ``correct`` and ``worth``.

    Args:
        request_id: Of the decision; of one text of several ``REQUEST_ID/NUMBER``.
        label: What the request truly was.
        correct: Whether the action was right.
        worth: What it earned, in the money of the decision.
        source: Who says so.
        person: Who labelled it; for the labels the key answers that they are sent with.
        seconds: That the person took.
        feedback_id: Sent again with the same content, it is written once. One is made where none
            is given.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"request_id": "order-7", "label": "refund"}]},
    )

    request_id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:/-]+$")]
    label: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    correct: bool | None = None
    worth: Annotated[float, Field(allow_inf_nan=False)] | None = None
    source: Literal["customer", "person", "system"] = "system"
    person: Annotated[str, Field(max_length=200)] = ""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    feedback_id: RequestId | None = None

    def as_feedback(self) -> dict[str, Any]:
        """Arguments of `payoff.learn.feedback.Feedback`."""
        told = self.model_dump(exclude_none=True)
        return {"label": "", **told}


class FeedbackRequest(BaseModel):
    """What came out of one decision or of several.

    Args:
        feedback: On each.
        model: Whose decisions they are, where models keep journals of their own; where none is
            named, each goes where its decision is, or else to the first model's journal.

    Example:
        >>> FeedbackRequest(feedback=[ToldBody(request_id="r-1", correct=True)]).feedback[0].source
        'system'
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"feedback": [{"request_id": "order-7", "label": "refund"}]}]
        },
    )

    feedback: list[ToldBody]
    model: str | None = None


class FeedbackResponse(BaseModel):
    """How much was new, how much was known, and which request ids have no decision yet."""

    n_new: int
    n_known: int
    unknown: list[str]


def feedback_routes(
    models: Models[ServedModel], gate: Gate, limits: Limits, figures: Figures
) -> APIRouter:
    """``/v1/feedback``.

    Args:
        models: With the journals where it is written before the answer leaves.
        gate: Through which it goes.
        limits: Of one request.
        figures: Count it.
    """
    router = APIRouter()

    @router.post(
        "/v1/feedback",
        summary="Tell what came out of decisions",
        responses={
            200: {"model": FeedbackResponse},
            **{s: {"model": ErrorResponse} for s in (401, 403, 404, 409, 413, 422, 503, 507)},
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _schema()}},
            }
        },
    )
    async def feedback(request: Request) -> JSONResponse:
        body = read_json(FeedbackRequest, await read_body(request, limits.body_bytes), limits)
        if len(body.feedback) > limits.max_texts:
            most = f"at most {limits.max_texts:,}"
            raise too_large(f"{len(body.feedback):,} entries", most, "body.feedback")
        from payoff.learn.feedback import Feedback, take

        key = str(getattr(request.state, "key_name", ""))
        told = [Feedback(**one.as_feedback(), sent_by=key) for one in body.feedback]
        journals = _journals(models, body.model)
        parts = await gate.run(lambda: [take(*part) for part in _parted(journals, told)])
        for one in told:
            figures.told(one.source, 1)
        return JSONResponse(
            {
                "n_new": sum(one.n_new for one in parts),
                "n_known": sum(one.n_known for one in parts),
                "unknown": [request_id for one in parts for request_id in one.unknown],
            }
        )

    return router


def _journals(models: Models[ServedModel], name: str | None) -> list[Journal]:
    """Those that it may be about, each once, the first model's first.

    Raises:
        ServiceError: PF711 where there is no such model; PF760 where it keeps no journal.
    """
    wanted = list(models) if name is None else [models.of(name)]
    found = {id(one.journal): one.journal for one in wanted if one.journal is not None}
    if not found:
        raise ServiceError("PF760", "feedback", "no journal is kept")
    return list(found.values())


def _parted(
    journals: Sequence[Journal], told: Sequence[Feedback]
) -> list[tuple[Journal, list[Feedback]]]:
    """What goes to which journal: to the one with the decision, or else to the first."""
    from payoff.learn.feedback import decided_among

    first, *others = journals
    ids = list(dict.fromkeys(one.request_id for one in told))
    places = dict.fromkeys(decided_among(first, ids) if others else ids, 0)
    for number, journal in enumerate(others, 1):
        left = [request_id for request_id in ids if request_id not in places]
        places |= dict.fromkeys(decided_among(journal, left), number)
    parts: list[list[Feedback]] = [[] for _ in journals]
    for one in told:
        parts[places.get(one.request_id, 0)].append(one)
    return [(journal, part) for journal, part in zip(journals, parts, strict=True) if part]


def _schema() -> dict[str, Any]:
    """The schema of a request, with its parts inside."""
    schema = FeedbackRequest.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["feedback"]["items"] = parts["ToldBody"]
    return schema
