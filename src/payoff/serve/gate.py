"""The gate: how many requests run and wait at once, and what happens to the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from payoff.core.errors import ServiceError

_T = TypeVar("_T")


class Gate:
    """Runs work in threads, few at a time, and refuses what would wait too long.

    A model uses all cores by itself: more at a time would only make each slower. The second
    place lets one request be written to the journal while another is computed.

    Args:
        max_running: Pieces of work at a time.
        max_waiting: Pieces of work that may wait; beyond that they are refused.
    """

    def __init__(self, *, max_running: int = 2, max_waiting: int = 64) -> None:
        self.max_running = max_running
        self.max_waiting = max_waiting
        self._inside = 0
        self._turn = asyncio.Semaphore(max_running)

    @property
    def inside(self) -> int:
        """Pieces of work that run or wait."""
        return self._inside

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do work in a thread, when it is its turn.

        Raises:
            ServiceError: PF707 where too much waits already.
        """
        if self._inside >= self.max_running + self.max_waiting:
            raise ServiceError(
                "PF707",
                "service",
                f"{self._inside} requests are running or waiting",
                expected=f"at most {self.max_running + self.max_waiting}",
                mend="Try again after the seconds in Retry-After.",
            )
        self._inside += 1
        try:
            async with self._turn:
                return await run_in_threadpool(work)
        finally:
            self._inside -= 1
