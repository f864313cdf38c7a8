"""The addresses where a service is told what came out of its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from payoff.serve.bodies import ErrorResponse, Limits, RequestId, read_body, read_json, too_large

if TYPE_CHECKING:
    from payoff.learn.journal import Journal
    from payoff.serve.figures import Figures
    from payoff.serve.gate import Gate


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


class FeedbackResponse(BaseModel):
    """How much was new, how much was known, and which request ids have no decision yet."""

    n_new: int
    n_known: int
    unknown: list[str]


def feedback_routes(journal: Journal, gate: Gate, limits: Limits, figures: Figures) -> APIRouter:
    """``/v1/feedback``.

    Args:
        journal: Where it is written before the answer leaves.
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
            **{s: {"model": ErrorResponse} for s in (401, 403, 409, 413, 422, 503, 507)},
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _schema()}},
            }
        },
    )
    async def feedback(request: Request) -> JSONResponse:
        body = read_json(FeedbackRequest, await read_body(request, limits.body_bytes))
        if len(body.feedback) > limits.max_texts:
            most = f"at most {limits.max_texts:,}"
            raise too_large(f"{len(body.feedback):,} entries", most, "body.feedback")
        from payoff.learn.feedback import Feedback, take

        key = str(getattr(request.state, "key_name", ""))
        told = [Feedback(**one.as_feedback(), sent_by=key) for one in body.feedback]
        taken = await gate.run(lambda: take(journal, told))
        for one in told:
            figures.told(one.source, 1)
        return JSONResponse(
            {"n_new": taken.n_new, "n_known": taken.n_known, "unknown": list(taken.unknown)}
        )

    return router


def _schema() -> dict[str, Any]:
    """The schema of a request, with its parts inside."""
    schema = FeedbackRequest.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["feedback"]["items"] = parts["ToldBody"]
    return schema
