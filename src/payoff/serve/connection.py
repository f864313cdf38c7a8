"""Connections: let go where their caller sends nothing or drop by drop, and never too many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from payoff.core.errors import ServiceError
from payoff.serve.reply import Reply

PATIENCE_S = 30.0
"""Seconds in which the head of a request has to be there."""

_LOOKS = 6  # in that time
_SPARE = 128  # files that the service itself may open: journal, models, endpoints
_MOST_FILES = 65_536


class PatientProtocol(HttpToolsProtocol):
    """HTTP that waits for the head of a request only so long.

    Uvicorn itself waits for ever once the first byte is there, so that a few thousand callers who
    send one byte a minute would hold all its connections ("slowloris").

    Where more connections are open than there is room for, a new one is told 503 (PF707) with
    ``Retry-After`` and closed at once, so that files are left for the journal.
    """

    patience_s = PATIENCE_S
    most: int | None = None
    """Connections at a time; None for any number."""
    _waits_since: float | None = None
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A caller is there; nothing came yet."""
        super().connection_made(transport)
        if self.most is not None and len(self.connections) > self.most:
            transport.write(_too_many(self.most))
            transport.close()
            return
        self._waits_since = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came: the first ones of a request begin its time."""
        if self._waits_since is None and (self.cycle is None or self.cycle.response_complete):
            self._waits_since = self.loop.time()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._waits_since = None
        super().on_headers_complete()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(self.patience_s / _LOOKS, self._let_go_if_slow)

    def _let_go_if_slow(self) -> None:
        since = self._waits_since
        if since is not None and self.loop.time() - since > self.patience_s:
            self.transport.close()
            return
        self._look_later()


def most_connections() -> int | None:
    """How many connections this process can hold, once it may open as many files as it is allowed.

    None where the system has no such limit.

    Example:
        >>> most_connections() is None or most_connections() > 0
        True
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _MOST_FILES if hard == unlimited else min(hard, _MOST_FILES)
    if soft == unlimited or soft >= wanted:
        return None if soft == unlimited else max(1, soft - _SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - _SPARE)


def bounded(most: int | None) -> type[PatientProtocol]:
    """The protocol of a service that holds so many connections.

    Example:
        >>> bounded(100).most
        100
    """
    return type("BoundedProtocol", (PatientProtocol,), {"most": most})


def _too_many(most: int) -> bytes:
    """A whole answer, for a connection of which nothing was read yet."""
    reply = Reply.of_error(
        ServiceError(
            "PF707",
            "service",
            f"more than {most:,} connections are open",
            expected="fewer",
            mend="Try again after the seconds in Retry-After.",
        )
    )
    body = reply.body.encode()
    told = {**reply.headers, "content-length": str(len(body)), "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {reply.status} Service Unavailable\r\n{head}\r\n".encode() + body
