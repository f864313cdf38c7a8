"""The gate: how many requests run and wait at once, and what happens to the rest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

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
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def inside(self) -> int:
        """Pieces of work that run or wait."""
        return self._inside

    async def run(self, work: Callable[[], _T], *, within_s: float | None = None) -> _T:
        """Do work in a thread, when it is its turn.

        Args:
            work: What to do.
            within_s: How long whoever asks waits for it; None for as long as it takes. What runs
                then goes on, since a thread cannot be ended, and keeps its place until it is done;
                what has not begun is left undone.

        Raises:
            ServiceError: PF707 where too much waits already; PF714 where it is not done in time.
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
        if within_s is None:
            return await self._in_turn(work)
        too_late = ServiceError(
            "PF714", "service", f"it is not done after {within_s:g} s", mend="Try again later."
        )
        given_up = threading.Event()

        def unless_given_up() -> _T:
            if given_up.is_set():
                raise too_late
            return work()

        task = asyncio.ensure_future(self._in_turn(unless_given_up))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        if not (await asyncio.wait([task], timeout=within_s))[0]:
            given_up.set()
            raise too_late
        return task.result()

    async def _in_turn(self, work: Callable[[], _T]) -> _T:
        try:
            async with self._turn:
                return await run_in_threadpool(work)
        finally:
            self._inside -= 1

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Let it go; nobody may wait for what went wrong any more."""
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()
