"""Data-parallel training on one machine: the other processes of a team, started and ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from torch import distributed

from payoff.adapt.engine.team import TIMEOUT_S, Team, joined
from payoff.core.errors import AdaptError, PayoffError

_START_S = 120.0  # for a process to start and to import torch
_GONE_S = 5.0  # for a process to be gone after its connection was closed
_HERE = "127.0.0.1"


@contextmanager
def led(
    n_processes: int,
    follow: Callable[..., None],
    arguments: tuple[Any, ...],
    *,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[Team]:
    """Start the other processes of a team, and lead it for as long as the block lasts.

    Args:
        n_processes: How many, this one included; 2 or more.
        follow: Called in each of the others with its team and ``arguments``; a function of a
            module. It does what it hears until the order ``"end"``.
        arguments: Passed on; they are pickled.
        timeout_s: How long a step may wait for the others.

    Raises:
        AdaptError: PF410 where a process does not start or is gone.
    """
    store = _store(0, timeout_s)
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(
            target=_help,
            args=((rank, n_processes), store.port, timeout_s, follow, arguments),
            daemon=True,
            name=f"process {rank}",
        )
        for rank in range(1, n_processes)
    ]
    lead = Team(0, n_processes, store, lambda: _became(others, store))
    try:
        for process in others:
            process.start()
        _wait_for(others, store, lead)
        with joined(lead, timeout_s=timeout_s):
            yield lead
            lead.tell("end")
            for process in others:
                process.join(timeout_s)
    finally:
        for process in others:
            if process.pid is not None:
                process.kill()
                process.join()


def _help(
    place: tuple[int, int],
    port: int,
    timeout_s: float,
    follow: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """The life of a process that was started by `led`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to handle
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    store = _store(port, timeout_s)
    rank, size = place
    one = Team(rank, size, store)
    try:
        store.set(f"ready-{rank}", "")
        with joined(one, timeout_s=timeout_s):
            follow(one, *arguments)
    except PayoffError as error:
        with suppress(RuntimeError):  # the store is gone with the first process
            store.set(f"failed-{rank}", str(error))
        sys.exit(1)


def _end_with_the_first() -> None:
    """Make sure that this process ends where the first one is gone, whatever it waits for."""
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    time.sleep(_GONE_S)  # it may notice by itself, and say so
    os._exit(1)


def _wait_for(others: Sequence[Any], store: Any, lead: Team) -> None:
    """Until all processes run.

    Raises:
        AdaptError: PF410 where one ended instead.
    """
    until = time.monotonic() + _START_S
    while not store.check([f"ready-{rank + 1}" for rank in range(len(others))]):
        if time.monotonic() > until or any(process.exitcode is not None for process in others):
            raise AdaptError(
                "PF410",
                f"starting {lead.size - 1} more processes",
                _became(others, store) or f"they were not ready after {_START_S:.0f} s",
                mend="A script that calls this needs `if __name__ == '__main__':` around what it "
                "does; else train in one process.",
            )
        time.sleep(0.02)


def _store(port: int, timeout_s: float) -> Any:
    """Where processes find each other and leave orders; a new one where the port is 0."""
    made: Any = distributed  # does not export the name for type checkers
    return made.TCPStore(
        _HERE,
        port,
        None,
        port == 0,
        timedelta(seconds=timeout_s),
        wait_for_workers=False,
    )


def _became(others: Sequence[Any], store: Any) -> str:
    """What is known of the first process that is gone."""
    # A connection is closed a moment before its process is gone.
    until = time.monotonic() + _GONE_S
    while all(process.exitcode is None for process in others) and time.monotonic() < until:
        time.sleep(0.02)
    for rank, process in enumerate(others, start=1):
        if process.exitcode is None:
            continue
        if store.check([f"failed-{rank}"]):
            return f"{process.name} failed: {store.get(f'failed-{rank}').decode()}"
        signalled = process.exitcode < 0
        return f"{process.name} was ended by {'signal' if signalled else 'code'} " + str(
            abs(process.exitcode)
        )
    return ""
