from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from payoff.core.one_thread import one_thread_each


def threads() -> set[int]:
    """Threads of the library that numpy brings; others may be loaded later, by other tests."""
    found = ThreadpoolController().select(user_api="blas").info()
    return {library["num_threads"] for library in found if "numpy" in library["filepath"]}


@pytest.fixture(autouse=True)
def two() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        yield


def test_it_is_one_inside_and_as_it_was_outside() -> None:
    before = threads()
    with one_thread_each():
        assert threads() <= {1}
        with one_thread_each():
            assert threads() <= {1}
        assert threads() <= {1}
    assert threads() == before
    with pytest.raises(ValueError, match="x"), one_thread_each():
        raise ValueError("x")
    assert threads() == before


def test_blocks_of_several_threads_may_overlap() -> None:
    """The first to open is the first to close; the other is still alone on its core."""
    before, opened, closed, seen = threads(), Barrier(2), Barrier(2), []

    def first() -> None:
        with one_thread_each():
            opened.wait(10)
        closed.wait(10)

    thread = Thread(target=first)
    thread.start()
    with one_thread_each():
        opened.wait(10)
        closed.wait(10)
        seen.append(threads())
    thread.join()
    assert seen[0] <= {1}
    assert threads() == before


def test_it_decorates() -> None:
    @one_thread_each()
    def inside() -> set[int]:
        return threads()

    assert inside() <= {1}
    assert inside() <= {1}
