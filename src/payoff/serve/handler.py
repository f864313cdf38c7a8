"""The service without a server: for hosts of functions, which bring their own HTTP."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from payoff.core.errors import PayoffError, ServiceError
from payoff.serve.bodies import Limits, parse, too_large
from payoff.serve.models import Models
from payoff.serve.reply import Reply, unforeseen
from payoff.serve.service import Service

if TYPE_CHECKING:
    from payoff.economics.desk import Desk

_LOG = logging.getLogger("payoff.serve")
_LIMITS = Limits()


class Handler:
    """Answers what `payoff serve` answers, one call a request; safe to use from several threads.

    It keeps no journal: where functions run there is no disk that lasts.

    Args:
        desk: What decides.

    Example:
        >>> handler = Handler.open("support.payoff")  # doctest: +SKIP
        >>> handler.answer("POST", "/v1/decide", b'{"text": "hello"}').status  # doctest: +SKIP
        200
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._models = Models([Service(desk, None)])

    @classmethod
    def open(cls, path: str | Path, *, threads: int = 0) -> Handler:
        """Load an artifact and answer with it.

        Args:
            path: A ``NAME.payoff`` file, or the same as a folder.
            threads: Threads a model may use; 0 takes the physical cores.

        Raises:
            ArtifactError: PF501 to PF504 where it cannot be used.
        """
        from payoff.economics.desk import load

        return cls(load(path, threads=threads))

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """The answer to one request; failures are answers too.

        Args:
            method: Such as ``"POST"``.
            path: Such as ``"/v1/decide"``; a slash at the end does no harm.
            body: The bytes of the body.
        """
        begin = time.perf_counter()
        place = f"{method.upper()} {path.rstrip('/') or '/'}"
        try:
            return Reply(200, self._content(place, body, begin))
        except PayoffError as error:
            reply = Reply.of_error(error)
            if reply.status >= 500:
                _LOG.error("%s: %s", place[:200], error)
            return reply
        except Exception as error:
            return Reply.of_error(unforeseen(error))

    def _content(self, place: str, body: bytes, begin: float) -> dict[str, Any]:
        service = self._models.of(None)
        if place == "POST /v1/decide":
            most_bytes = _LIMITS.body_bytes
            if len(body) > most_bytes:
                raise too_large(f"{len(body):,} bytes", f"at most {most_bytes:,} bytes", "body")
            asked = parse(body, _LIMITS)
            return self._models.of(asked.model).decide(asked, begin)
        if place == "GET /v1/model":
            return service.facts() | service.measured()
        if place == "GET /readyz":
            return {"status": "ready", "journal": service.check()}
        if place == "GET /healthz":
            return {"status": "ok"}
        raise ServiceError(
            "PF708",
            place[:200],
            "it is none of this service",
            expected="POST /v1/decide, GET /v1/model, GET /readyz or GET /healthz",
        )

    def close(self) -> None:
        """Let the model go."""
        self._desk.close()

    def __enter__(self) -> Handler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
