"""What is worked out aside, and kept while it is right."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from payoff.core.errors import ServiceError
from payoff.serve.dashboard import kept as module
from payoff.serve.dashboard.kept import Kept


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept(wait_s=30.0)
    yield made
    made.close()


def test_a_thing_is_worked_out_once_a_version(kept: Kept) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return number

    assert [kept.get("a", 1, lambda: work(7)) for _ in range(3)] == [7, 7, 7]
    assert kept.get("b", 1, lambda: work(8)) == 8
    assert kept.get("a", 2, lambda: work(9)) == 9
    assert done == [7, 8, 9]


def test_what_takes_long_is_not_waited_for_and_not_begun_twice() -> None:
    kept, go, begun = Kept(wait_s=0.01), threading.Event(), []

    def work() -> str:
        begun.append(1)
        assert go.wait(30)
        return "done"

    assert kept.get("a", 1, work) is None
    assert kept.get("a", 1, work) is None
    go.set()
    kept.close()
    assert kept.get("a", 1, work) == "done"
    assert begun == [1]


def test_the_old_value_is_shown_while_a_new_one_is_worked_out() -> None:
    kept, go = Kept(wait_s=0.01), threading.Event()
    go.set()

    def work(value: int) -> int:
        assert go.wait(30)
        return value

    kept.get("a", 1, lambda: work(1))
    kept.close()
    go.clear()
    assert kept.get("a", 2, lambda: work(2)) == 1
    go.set()
    kept.close()
    assert kept.get("a", 2, lambda: work(3)) == 2


def test_an_error_is_told_and_tried_again(kept: Kept) -> None:
    def fail() -> None:
        raise ServiceError("PF704", "journal", "it is full")

    with pytest.raises(ServiceError, match="PF704"):
        kept.get("a", 1, fail)
    assert kept.get("a", 1, lambda: 5) == 5


def test_what_is_dear_is_kept_for_a_share_of_its_time_and_never_for_ever(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, used = [100.0], [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "thread_time", lambda: used[0])

    def work(value: int) -> int:
        used[0] += 2.0
        return value

    assert kept.get("a", 1, lambda: work(1)) == 1
    clock[0] += 30.0
    assert kept.get("a", 2, lambda: work(2)) == 1  # 2 s of work are shown for 40 s
    clock[0] += 10.0
    assert kept.get("a", 2, lambda: work(2)) == 2
    clock[0] += 299.0
    assert kept.get("a", 2, lambda: work(3)) == 2
    clock[0] += 2.0
    assert kept.get("a", 2, lambda: work(3)) == 3


def test_it_does_not_grow(kept: Kept) -> None:
    for number in range(100):
        kept.get(number, 1, lambda: 0)
    again: list[int] = []
    kept.get(99, 1, lambda: again.append(1))
    assert again == []
    kept.get(0, 1, lambda: again.append(1))
    assert again == [1]
