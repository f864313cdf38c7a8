"""Connections that are let go where their caller sends nothing, or drop by drop."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE_S = 30.0
"""Seconds in which the head of a request has to be there."""

_LOOKS = 6  # in that time


class PatientProtocol(HttpToolsProtocol):
    """HTTP that waits for the head of a request only so long.

    Uvicorn itself waits for ever once the first byte is there, so that a few thousand callers who
    send one byte a minute would hold all its connections ("slowloris").
    """

    patience_s = PATIENCE_S
    _waits_since: float | None
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A caller is there; nothing came yet."""
        super().connection_made(transport)
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
