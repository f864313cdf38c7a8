"""The gate: few pieces of work at a time, and one that hangs is waited for only so long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from payoff.core.errors import ServiceError
from payoff.serve.gate import Gate

from .conftest import run_apart


def test_work_that_hangs_is_given_up_and_keeps_its_place_until_it_ends() -> None:
    ends = threading.Event()
    done: list[str] = []

    async def hold() -> None:
        gate = Gate(max_running=1, max_waiting=1)
        with pytest.raises(ServiceError, match=r"PF714.*after 0\.05 s"):
            await gate.run(lambda: ends.wait(20), within_s=0.05)
        assert gate.inside == 1  # a thread cannot be ended: nothing else begins beside it
        with pytest.raises(ServiceError, match="PF714"):
            await gate.run(lambda: done.append("too late"), within_s=0.05)
        assert gate.inside == 2
        with pytest.raises(ServiceError, match="PF707"):
            await gate.run(lambda: done.append("too many"), within_s=0.05)
        ends.set()
        while gate.inside:
            await asyncio.sleep(0.01)
        await gate.run(lambda: done.append("in time"), within_s=20)
        assert done == ["in time"]  # what nobody waited for any more was not begun

    run_apart(hold)


def test_what_work_gives_and_raises_is_passed_on() -> None:
    def wrong() -> None:
        raise ServiceError("PF767", "request", "there is none")

    async def hold() -> None:
        gate = Gate(max_running=1)
        for within_s in (None, 20.0):
            assert await gate.run(lambda: 7, within_s=within_s) == 7
            with pytest.raises(ServiceError, match="PF767"):
                await gate.run(wrong, within_s=within_s)
        assert gate.inside == 0

    run_apart(hold)
