"""The cap as the server's books show it: whatever fails, no more is charged than it allows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.artifact.chat_server import ChatServer, Fault, said, serving

from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.endpoint_client import TRIES, EndpointClient
from payoff.artifact.runtime.paid_answers import PaidAnswers
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.money import Money

PRICE = TokenPrice.parse("1000 2000 USD", where="test")  # 1 and 2 thousandths of a dollar a token
LABELS = ("yes", "no")
MOST = 8


@pytest.fixture(scope="module")
def running() -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("yes"))) as server:
        yield server


@pytest.fixture
def server(running: ChatServer) -> ChatServer:
    running.reset(lambda messages: said("yes"))
    return running


def charged(server: ChatServer) -> int:
    """What the server has charged, in thousandths of a dollar."""
    return sum(read + 2 * written for read, written in server.charged)


def client(server: ChatServer, book: Path, mils: int, **options: Any) -> EndpointClient:
    budget = EndpointBudget(book, money=Money.of(mils, "USD") * 0.001, wait_s=0.3)
    usual = {"key_variable": "none", "first_wait_s": 0.001, "price": PRICE, "budgets": (budget,)}
    return EndpointClient(server.url, "small", **usual | options)


def asked(one: EndpointClient, first: int, n: int, **options: Any) -> str:
    """Ask ``n`` questions; the code of the error, or nothing."""
    questions = [[{"role": "user", "content": f"is it {i}?"}] for i in range(first, first + n)]
    try:
        one.ask(questions, max_answer_tokens=MOST, **options)
    except MachineError as error:
        return error.code
    return ""


def test_every_repetition_reserves_for_itself(server: ChatServer, tmp_path: Path) -> None:
    server.faults = deque([Fault(500, charged=True)] * 100)
    one = client(server, tmp_path / "book.db", 10_000)
    assert asked(one, 0, 1) == "PF813"
    assert len(server.bodies) == TRIES == len(server.charged)
    (budget,) = one.budgets
    each = len(b"is it 0?") + 16 + 2 * MOST  # a token is a byte at most; 16 for a chat's marks
    assert budget.money_used == Money.of(TRIES * each, "USD") * 0.001
    assert charged(server) <= TRIES * each
    assert asked(client(server, tmp_path / "small.db", 2 * each), 0, 1) == "PF815"
    assert len(server.bodies) == TRIES + 2, "the third attempt is not sent"


def test_what_was_refused_before_it_began_costs_nothing(server: ChatServer, tmp_path: Path) -> None:
    server.unknown = {"response_format", "logprobs"}
    one = client(server, tmp_path / "book.db", 10_000)
    server.faults = deque([Fault(429), Fault(429)])
    assert asked(one, 0, 1, labels=LABELS) == ""
    assert len(server.bodies) == 2 + 6 + 1
    assert one.budgets[0].money_used == Money.of(charged(server), "USD") * 0.001
    with serving(ChatServer(lambda messages: said("yes"))) as gone:
        nowhere = gone.url
    one.base_url = nowhere
    before = one.budgets[0].used
    assert asked(one, 1, 1) == "PF813"
    assert one.budgets[0].used == before, "where nobody listens nothing is charged"


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        (Fault(500, charged=True), {}),
        (Fault(504, charged=True), {}),
        (Fault(408, charged=True), {}),
        (Fault(200, b"{torn", charged=True), {}),
        (Fault(200, charged=True, delay_s=0.5), {"timeout_s": 0.1}),
    ],
)
def test_an_unknown_outcome_stays_spent(
    server: ChatServer, fault: Fault, options: dict[str, Any], tmp_path: Path
) -> None:
    server.faults = deque([fault])
    one = client(server, tmp_path / "book.db", 10_000, **options)
    asked(one, 0, 1)
    used = one.budgets[0].money_used
    assert used is not None
    assert used >= Money.of(len(b"is it 0?") + 16 + 2 * MOST, "USD") * 0.001
    assert used >= Money.of(charged(server), "USD") * 0.001


FAULTS = st.sampled_from(
    [
        Fault(500, charged=True),
        Fault(503, charged=True),
        Fault(429),
        Fault(400),
        Fault(404),
        Fault(200, b"<html>", charged=True),
        None,
    ]
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    faults=st.lists(FAULTS, max_size=12),
    caps=st.lists(st.integers(0, 600), min_size=1, max_size=3),
    parallel=st.integers(1, 4),
    usage=st.booleans(),
    schema=st.booleans(),
)
def test_the_servers_books_never_pass_the_cap(
    running: ChatServer,
    tmp_path_factory: pytest.TempPathFactory,
    faults: list[Fault | None],
    caps: list[int],
    parallel: int,
    usage: bool,
    schema: bool,
) -> None:
    running.reset(lambda messages: said("yes"))
    running.faults = deque(fault for fault in faults if fault is not None)
    running.usage, running.schema = usage, schema
    book = tmp_path_factory.mktemp("cap") / "book.db"
    for number, cap in enumerate(sorted(caps)):  # a restart with the same book, or a larger cap
        one = client(running, book, cap, max_parallel=parallel, paid=PaidAnswers(book.parent))
        code = asked(one, 0, 6 * (number + 1), labels=LABELS if schema else ())
        assert code in {"", "PF813", "PF814", "PF815", "PF816"}
        assert charged(running) <= cap
        used = one.budgets[0].money_used
        assert used is not None
        assert charged(running) * Money.of("0.001", "USD") <= used <= one.budgets[0].money


PROGRAM = """
import sys
from pathlib import Path
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.money import Money

url, book, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
budget = EndpointBudget(book, money=Money.of("0.8", "USD"), wait_s=0.3)
price = TokenPrice.parse("1000 2000 USD", where="test")
client = EndpointClient(url, "small", key_variable="none", first_wait_s=0.001, price=price,
                        budgets=(budget,), max_parallel=4)
questions = [[{"role": "user", "content": f"is it {i}?"}] for i in range(first, first + 200)]
try:
    client.ask(questions, max_answer_tokens=8)
except MachineError as error:
    print(error.code)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_processes_threads_and_a_kill_share_one_cap(server: ChatServer, tmp_path: Path) -> None:
    server.delay_s = 0.02
    server.faults = deque([Fault(500, charged=True)] * 5)
    book = tmp_path / "book.db"

    def spender(first: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, server.url, str(book), str(first)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    victim, other = spender(0), spender(1000)
    deadline = time.monotonic() + 60
    while len(server.bodies) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    codes = []
    mine = [client(server, book, 800, max_parallel=3) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda n=n, one=one: codes.append(asked(one, 2000 + 500 * n, 200)))
        for n, one in enumerate(mine)
    ]
    for thread in threads:
        thread.start()
    told, _ = other.communicate(timeout=100)
    for thread in threads:
        thread.join()
    assert (told, codes) == ("PF815\n", ["PF815", "PF815"])
    assert 0 < charged(server) <= 800
    told, _ = spender(5000).communicate(timeout=100)  # a restart
    assert told == "PF815\n"
    assert charged(server) <= 800
    used = mine[0].budgets[0].money_used
    assert used is not None
    assert Money.of(charged(server), "USD") * 0.001 <= used <= Money.of("0.8", "USD")


def test_two_caps_hold_at_once(server: ChatServer, tmp_path: Path) -> None:
    small = EndpointBudget(tmp_path / "tokens.db", tokens=100)
    one = client(server, tmp_path / "book.db", 10_000)
    one.budgets = (*one.budgets, small)
    assert asked(one, 0, 50) == "PF815"
    assert sum(map(sum, server.charged)) <= 100
    # What the money's book had reserved for an attempt that the other refused was given back.
    assert one.budgets[0].money_used == Money.of(charged(server), "USD") * 0.001
    assert asked(one, 100, 1) == "PF815"
    assert one.budgets[0].money_used == Money.of(charged(server), "USD") * 0.001


def test_more_is_reserved_once_an_answer_took_more(server: ChatServer, tmp_path: Path) -> None:
    server.thoughts = 100
    one = client(server, tmp_path / "book.db", 1000, max_parallel=1)
    assert asked(one, 0, 50) == "PF815"
    assert one.n_beyond == len(server.charged)
    assert one.budgets[0].used.beyond == 1, "from then on as much was reserved"
    assert charged(server) <= 1000


def test_a_cap_in_money_without_a_price_sends_nothing(server: ChatServer, tmp_path: Path) -> None:
    assert asked(client(server, tmp_path / "book.db", 1000, price=None), 0, 1) == "PF817"
    assert not server.bodies
