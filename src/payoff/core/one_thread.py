"""One thread for each matrix product, so that whoever shares out the cores does so alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

_LOCK = Lock()
_HELD: list[list[int]] = []
"""For each block that is open, the threads of each library before the first was."""


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
        if not _HELD:
            before = [library.get_num_threads() for library in _libraries()]
            _set([1] * len(before))
        else:
            before = _HELD[0]
        _HELD.append(before)
    try:
        yield
    finally:
        with _LOCK:
            before = _HELD.pop()
            if not _HELD:
                _set(before)


def _set(threads: Sequence[int]) -> None:
    """Set the threads of each library, whichever thread of this process set them before."""
    for library, number in zip(_libraries(), threads, strict=True):
        claim = getattr(library, "clear_controlling_thread", None)  # not in all versions
        if claim is not None:
            claim(force=True)
        library.set_num_threads(number)
        if claim is not None:
            claim(force=True)


@cache
def _libraries() -> list[Any]:
    found = import_module("threadpoolctl").ThreadpoolController()
    libraries: list[Any] = found.select(user_api="blas").lib_controllers
    return libraries
