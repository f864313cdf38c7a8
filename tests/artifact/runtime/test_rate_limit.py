from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.artifact.chat_server import ChatServer, said, serving

from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.endpoint_limits import EndpointLimits, usual_book
from payoff.artifact.runtime.rate_limit import RateLimit, Turn
from payoff.core.errors import MachineError


class Clock:
    """Time that passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float | None = None) -> bool:
        with self._lock:
            self.now += seconds or 0.0
        return False

    def is_set(self) -> bool:
        return False


@settings(max_examples=60, deadline=None)
@given(
    requests=st.integers(0, 5),
    tokens=st.integers(0, 50),
    wanted=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30)), max_size=30
    ),
)
def test_no_minute_holds_more_than_its_limit(
    requests: int, tokens: int, wanted: list[tuple[int, int, int]]
) -> None:
    clock = Clock()
    limit = RateLimit(requests, tokens, clock=clock)
    sent: list[tuple[float, int]] = []
    for asked, used, pause in wanted:
        clock.now += pause
        for _ in range(100):
            got = limit.take(asked)
            if isinstance(got, Turn):
                break
            assert 0 < got <= 60
            clock.now += got
        else:
            raise AssertionError("it waits for ever")
        spent = min(asked, used)
        limit.settle(got, spent)
        within = [n for at, n in sent if at > clock.now - 60]
        if requests:
            assert len(within) + 1 <= requests
        if tokens and within:
            assert sum(within) + asked <= tokens
        sent.append((clock.now, spent))


def test_threads_share_it() -> None:
    clock = Clock()
    limit, sent, lock = RateLimit(7, clock=clock), [], threading.Lock()

    def ask() -> None:
        for _ in range(10):
            turn = limit.turn(1, clock)  # type: ignore[arg-type]  # waits as an Event does
            assert turn is not None
            with lock:
                sent.append(turn.at)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.sort()
    assert len(sent) == 60
    assert all(later - first >= 60 for first, later in zip(sent, sent[7:], strict=False))


def test_waiting_ends_where_another_request_failed() -> None:
    limit, stop = RateLimit(1), threading.Event()
    assert limit.turn(1, stop) is not None
    threading.Timer(0.05, stop.set).start()
    assert limit.turn(1, stop) is None


def test_an_attempt_that_waits_in_vain_is_not_sent() -> None:
    with serving(ChatServer(lambda messages: said("yes"))) as server:
        limit = RateLimit(requests=3)
        client = EndpointClient(server.url, "small", key_variable="none", rate=limit)
        chat = [[{"role": "user", "content": f"{i}"}] for i in range(3)]
        client.ask(chat, max_answer_tokens=4)
        assert isinstance(limit.take(1), float)
        assert [turn.tokens for turn in limit._turns] == [sum(one) for one in server.charged]
        again = RateLimit(tokens=1000)
        client.rate = again
        client.ask([[{"role": "user", "content": "4"}]], max_answer_tokens=4)
        assert isinstance(again.take(1000), float)
        assert isinstance(again.take(1000 - sum(server.charged[-1])), Turn)


def test_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EndpointLimits.of({}) == EndpointLimits()
    assert EndpointLimits.of({}).budgets() == ()
    said_all = {
        "PAYOFF_ENDPOINT_CAP": " 20 EUR a month ",
        "PAYOFF_ENDPOINT_BOOK": str(tmp_path / "book.db"),
        "PAYOFF_ENDPOINT_PRICE": "0.15 0.60 EUR",
        "PAYOFF_ENDPOINT_REQUESTS_A_MINUTE": "60",
        "PAYOFF_ENDPOINT_TOKENS_A_MINUTE": "1000",
    }
    limits = EndpointLimits.of(said_all)
    (budget,) = limits.budgets()
    assert (str(budget.money), budget.monthly, budget.path) == ("20.00 EUR", True, limits.book)
    assert limits.rate("https://one/v1") is limits.rate("https://one/v1/")
    assert limits.rate("https://one/v1", requests=5).requests == 5
    for variable in ("LOCALAPPDATA", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert usual_book() == tmp_path / variable / "payoff" / "endpoint-book.db"
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CAP", "twenty USD"),
        ("CAP", "20"),
        ("CAP", "20 USD a week"),
        ("CAP", "20 USD month"),
        ("CAP", "-1 USD"),
        ("CAP", "nan USD"),
        ("CAP", "20 dollars"),
        ("PRICE", "0.15 USD"),
        ("REQUESTS_A_MINUTE", "1.5"),
        ("TOKENS_A_MINUTE", "-1"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, text: str) -> None:
    with pytest.raises(MachineError, match=f"PF817 PAYOFF_ENDPOINT_{name}"):
        EndpointLimits.of({f"PAYOFF_ENDPOINT_{name}": text})


@pytest.mark.parametrize("make", [lambda: RateLimit(-1), lambda: RateLimit(tokens=-1)])
def test_a_limit_below_nothing_is_refused(make: Callable[[], RateLimit]) -> None:
    with pytest.raises(MachineError, match="PF817"):
        make()
