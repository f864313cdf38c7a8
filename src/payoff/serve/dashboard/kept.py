"""Kept: what is dear to work out from a journal, worked out aside and kept while it is right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

WAIT_S = 0.6
"""How long a page waits for what is worked out; it is shown without it then."""

_SHARE = 20.0
_DEAR_S = 0.5
_MOST_AGE_S = 300.0
_MOST_KEPT = 64


@dataclass(eq=False, slots=True)
class _Work:
    """One thing that is worked out.

    Args:
        version: Of the journal, when it was begun.
        ready_s: When it was there, by a clock that never goes back.
        took_s: Processor time that it took.
        done: Set when it is there.
        value: What came out.
        error: What went wrong instead.
    """

    version: Hashable
    ready_s: float
    took_s: float
    done: threading.Event
    value: Any = None
    error: Exception | None = None


class Kept:
    """Works things out in threads of its own, and keeps them.

    What was worked out is shown until the journal has gone on; where it took half a second or
    more, for up to twenty times as long as it took, so that pages that are looked at all day use a
    twentieth of a core at most; and never longer than five minutes. Safe to use from several
    threads.

    Args:
        wait_s: How long `get` waits.

    Example:
        >>> kept = Kept(wait_s=5.0)
        >>> kept.get("sum", 1, lambda: 1 + 1), kept.get("sum", 1, lambda: 0)  # worked out once
        (2, 2)
        >>> kept.close()
    """

    def __init__(self, *, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._ready: dict[Hashable, _Work] = {}
        self._begun: dict[Hashable, _Work] = {}
        self._threads: set[threading.Thread] = set()

    def get(self, key: Hashable, version: Hashable, work: Callable[[], Any]) -> Any:
        """What a key stands for.

        Args:
            key: Names it.
            version: Of what it is worked out from; the same one gives the same.
            work: Works it out.

        Returns:
            None where it is not ready yet; ask again.

        Raises:
            PayoffError: What the work raised.
        """
        with self._lock:
            ready = self._ready.get(key)
            if ready is not None and _is_good(ready, version):
                return _value(ready)
            begun = self._begun.get(key) or self._begin(key, version, work)
        if begun.done.wait(self._wait_s):
            return _value(begun)
        return None if ready is None else _value(ready)

    def close(self) -> None:
        """Wait for what is being worked out, five seconds at most."""
        until = time.monotonic() + 5.0
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _begin(self, key: Hashable, version: Hashable, work: Callable[[], Any]) -> _Work:
        begun = _Work(version, 0.0, 0.0, threading.Event())
        self._begun[key] = begun

        def run() -> None:
            before_s = time.thread_time()
            try:
                begun.value = work()
            except Exception as error:
                begun.error = error
            begun.took_s = time.thread_time() - before_s
            begun.ready_s = time.monotonic()
            with self._lock:
                del self._begun[key]
                self._ready.pop(key, None)
                self._ready[key] = begun
                while len(self._ready) > _MOST_KEPT:
                    del self._ready[next(iter(self._ready))]
                self._threads.discard(threading.current_thread())
            begun.done.set()

        thread = threading.Thread(target=run, name="payoff-dashboard", daemon=True)
        self._threads.add(thread)
        thread.start()
        return begun


def _is_good(ready: _Work, version: Hashable) -> bool:
    age = time.monotonic() - ready.ready_s
    if ready.error is not None or age > _MOST_AGE_S:
        return False
    is_dear = ready.took_s >= _DEAR_S
    return ready.version == version or (is_dear and age < _SHARE * ready.took_s)


def _value(work: _Work) -> Any:
    if work.error is not None:
        raise work.error
    return work.value
