"""The addresses by which the version that serves is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from payoff.core.errors import ServiceError
from payoff.serve.bodies import ErrorResponse, Limits, read_body, read_json

if TYPE_CHECKING:
    from payoff.learn.versions import VersionEvent
    from payoff.serve.guard import Keys
    from payoff.serve.models import Models
    from payoff.serve.releases import Releases
    from payoff.serve.served_model import ServedModel

_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class VersionRequest(BaseModel):
    """Which version is meant, and why.

    Args:
        artifact_sha256: To be released, or to be withdrawn.
        why: Noted with it.

    Example:
        >>> VersionRequest(artifact_sha256="a" * 64).why
        ''
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"artifact_sha256": _EXAMPLE, "why": "it earns more"}]},
    )

    artifact_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    why: Annotated[str, Field(max_length=1000)] = ""


class VersionResponse(BaseModel):
    """Which version is released now, and which one decides in this process.

    Args:
        model: Its name.
        released: SHA-256 of the version that is released.
        released_utc: Since when.
        serving: SHA-256 of the version that decides here.
        labels: That this one knows.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "support",
                    "released": _EXAMPLE,
                    "released_utc": "2026-11-30T09:00:00.000000Z",
                    "serving": _EXAMPLE,
                    "labels": ["billing", "refund"],
                }
            ]
        }
    )

    model: str
    released: str
    released_utc: str
    serving: str
    labels: list[str]


def version_routes(
    models: Models[ServedModel], releases: Releases, keys: Keys | None, limits: Limits
) -> APIRouter:
    """``/v1/models/{name}/release`` and ``/v1/models/{name}/rollback``.

    Sent twice, each does once what it says.

    Args:
        models: With their journals.
        releases: Change what serves.
        keys: Of the service; without any, nothing is changed over HTTP.
        limits: Of one request.
    """
    router = APIRouter()
    how: dict[str, Any] = {
        "responses": {
            200: {"model": VersionResponse},
            **{s: {"model": ErrorResponse} for s in (401, 403, 404, 408, 409, 413, 422, 503, 507)},
        },
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": VersionRequest.model_json_schema()}},
            }
        },
    }

    async def asked(request: Request) -> tuple[VersionRequest, dict[str, Any]]:
        """What is asked, and what is noted of who asks.

        Raises:
            ServiceError: PF789 where the service has no keys.
        """
        if keys is None or not await run_in_threadpool(keys.read):
            raise ServiceError(
                "PF789",
                "service",
                "it has no keys",
                expected="a key of the scope admin",
                mend="Make one: payoff keys add NAME --scope admin. Or use payoff versions.",
            )
        body = read_json(VersionRequest, await read_body(request, limits.body_bytes), limits)
        by = str(getattr(request.state, "key_name", ""))
        return body, {"by": by, **({"why": body.why} if body.why else {})}

    @router.post("/v1/models/{name}/release", summary="Let a version serve from now on", **how)
    async def release(name: str, request: Request) -> JSONResponse:
        body, facts = await asked(request)
        model = models.of(name)
        return _told(model, await releases.release(model, body.artifact_sha256, facts))

    @router.post(
        "/v1/models/{name}/rollback",
        summary="Withdraw the version that is released; the one before it serves again",
        **how,
    )
    async def rollback(name: str, request: Request) -> JSONResponse:
        body, facts = await asked(request)
        model = models.of(name)
        return _told(model, await releases.roll_back(model, body.artifact_sha256, facts))

    return router


def _told(model: ServedModel, event: VersionEvent) -> JSONResponse:
    return JSONResponse(
        {
            "model": model.name,
            "released": event.artifact_sha256,
            "released_utc": event.time_utc,
            "serving": model.sha256,
            "labels": list(model.service.labels),
        }
    )
