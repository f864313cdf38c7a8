"""One thread for each matrix product, so that whoever shares out the cores does so alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

_LOCK = Lock()
_HELD: list[Any] = []
"""One entry for each block that is open; the first holds what to go back to."""


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let numpy's matrix products of this process take one thread each while the block lasts.

    The libraries behind numpy start a thread a core for every product, also for one of a
    millisecond, and let them spin until the next. Beside threads of one's own, or beside another
    process, they wait for each other: a what-if took three times as long. Blocks may overlap in
    several threads; the number of threads is put back when the last one ends. It is a decorator
    too.

    Example:
        >>> import numpy as np
        >>> with one_thread_each():
        ...     print(np.ones((2, 2)) @ np.ones(2))
        [2. 2.]
    """
    with _LOCK:
        _HELD.append(None if _HELD else _controller().limit(limits=1))
    try:
        yield
    finally:
        with _LOCK:
            limit = _HELD.pop()  # of the last block that is open, whichever that is
            if not _HELD:
                limit.restore_original_limits()


@cache
def _controller() -> Any:
    return import_module("threadpoolctl").ThreadpoolController().select(user_api="blas")
