"""Failures over HTTP: the same code as everywhere, the right status, never a traceback."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payoff.core.errors import PayoffError, Problems, ServiceError
from payoff.serve.bodies import malformed
from payoff.serve.reply import Reply, unforeseen

_LOG = logging.getLogger("payoff.serve")


def failure(
    error: PayoffError, *, status: int | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A coded error as an answer.

    Args:
        error: What went wrong.
        status: Instead of the catalogue's status.
        headers: To add.

    Example:
        >>> failure(ServiceError("PF702", "body", "9 texts", expected="8")).status_code
        413
    """
    reply = Reply.of_error(error)
    return JSONResponse(
        dict(reply.content), status or reply.status, headers={**reply.headers, **(headers or {})}
    )


def install(app: FastAPI) -> None:
    """Make every failure of an app answer in payoff's shape."""
    app.add_exception_handler(PayoffError, _payoff_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_middleware(Unforeseen)


async def _payoff_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PayoffError)
    answer = failure(error)
    if answer.status_code >= 500:
        _LOG.error("%s %s: %s", request.method, request.scope["path"], error)
    return answer


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = ServiceError(
        "PF708",
        f"{request.method} {request.scope['path']}"[:200],
        str(error.detail),
        mend="See /docs for the addresses.",
    )
    return failure(told, status=error.status_code, headers=dict(error.headers or {}))


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return failure(Problems(malformed(entry) for entry in error.errors()))


class Unforeseen:
    """Answers what nobody foresaw with PF799 and an id that is also in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            _LOG.info("the client went away")
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            await failure(unforeseen(error))(scope, receive, send)
