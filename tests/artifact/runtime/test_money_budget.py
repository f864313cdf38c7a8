"""The cap on money, held against threads, processes, failures and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.artifact.chat_server import ChatServer, said, serving

from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.money_budget import MoneyBudget
from payoff.artifact.runtime.paid_answers import PaidAnswers
from payoff.core.errors import MachineError
from payoff.core.money import Money

CENT = Money.of("0.01", "USD")
Make = Callable[..., MoneyBudget]

SPENDER = """
import sys
from pathlib import Path
from payoff.artifact.runtime.money_budget import MoneyBudget
from payoff.core.errors import MachineError
from payoff.core.money import Money
cap, cent = Money.of(1, "USD"), Money.of("0.01", "USD")
budget = MoneyBudget(Path(sys.argv[1]), cap, per_token=cent, wait_s=1.0)
if sys.argv[2] == "hang":
    with budget.reserved(30):
        print("reserved", flush=True)
        sys.stdin.read()
paid = 0
try:
    while True:
        with budget.reserved(3) as settle:
            settle(2)
            paid += 2
except MachineError as error:
    assert error.code == "PF815"
print(paid)
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def budget(cap: float = 1.0, **changes: float) -> MoneyBudget:
        file = tmp_path / "books" / "spent.db"
        return MoneyBudget(file, Money.of(cap, "USD"), per_token=CENT, **changes)

    return budget


def spender(path: Path, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SPENDER, str(path), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_bill_restated_by_hand(make: Make) -> None:
    budget = make()
    with budget.reserved(50) as settle:
        assert budget.used == Money.of("0.50", "USD")
        settle(20)
        assert budget.used == Money.of("0.20", "USD")
    with budget.reserved(80) as settle:  # to the cap and not beyond
        settle(80)
    assert budget.used == Money.of(1, "USD")
    with pytest.raises(MachineError, match=r"PF815.*spent or reserved"), budget.reserved(1):
        pass
    assert make(cap=2.0).used == Money.of(1, "USD"), "a restart forgets nothing"


def test_fractions_are_rounded_against_the_spender(tmp_path: Path) -> None:
    third = Money(Decimal("0.0000000003"), "USD")
    budget = MoneyBudget(tmp_path / "spent.db", Money.of(1, "USD"), per_token=third)
    with budget.reserved(1) as settle:
        settle(1)
    assert budget.used == Money(Decimal("1e-9"), "USD")


def test_what_failed_may_have_been_charged(make: Make) -> None:
    budget = make()
    with pytest.raises(RuntimeError), budget.reserved(40):
        raise RuntimeError("the line went dead")
    assert budget.used == Money.of("0.40", "USD")
    with pytest.raises(MachineError, match="PF815"), budget.reserved(61):
        pass


def test_it_waits_for_what_others_give_back(make: Make) -> None:
    budget, other = make(), make()
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with budget.reserved(90) as settle:
            inside.set()
            leave.wait(30)
            settle(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(MachineError, match="PF815"), make(wait_s=0.0).reserved(50):
        pass
    threading.Timer(0.1, leave.set).start()
    with other.reserved(50) as settle:
        settle(50)
    thread.join()
    assert budget.used == Money.of("0.60", "USD")


def test_threads_never_pass_the_cap(make: Make) -> None:
    budget, paid, lock = make(wait_s=5.0), [0], threading.Lock()
    codes: list[str] = []

    def spend() -> None:
        try:
            while True:
                with budget.reserved(5) as settle:
                    with lock:
                        paid[0] += 4
                    settle(4)
        except MachineError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["PF815"] * 8
    assert 95 < paid[0] <= 100
    assert budget.used == paid[0] * CENT


def test_processes_and_a_kill_never_pass_the_cap(make: Make) -> None:
    budget = make()
    victim = spender(budget.path, "hang")
    assert victim.stdout is not None
    assert victim.stdout.readline() == "reserved\n"
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert budget.used == Money.of("0.30", "USD"), "what it had reserved stays spent"
    both = [spender(budget.path, "spend") for _ in range(2)]
    # What a dead process reserved is waited for in vain only where it stands in the way.
    paid = sum(int(one.communicate(timeout=100)[0]) for one in both)
    assert paid <= 70
    assert budget.used == (30 + paid) * CENT


def test_an_endpoint_asked_by_many_threads_stays_within_it(make: Make) -> None:
    budget = make(cap=1.0, wait_s=5.0)  # 100 tokens
    with serving(ChatServer(lambda messages: said("yes"), delay_s=0.01)) as server:
        client = EndpointClient(
            server.url,
            "small",
            key_variable="none",
            max_parallel=4,
            paid=PaidAnswers(),
            budget=budget,  # type: ignore[arg-type]  # stands where a TokenBudget does
        )
        questions = [[{"role": "user", "content": f"question {i}"}] for i in range(40)]
        with pytest.raises(MachineError, match="PF815"):
            client.ask(questions, max_answer_tokens=8)
        assert 0 < len(server.bodies) < 40
    assert client.paid is not None
    # What was reserved when the others had to stop counts as spent: nobody knows that it is not.
    assert client.paid.tokens() * CENT <= budget.used <= budget.cap


@pytest.mark.parametrize(
    ("cap", "price"),
    [
        (Money.of(-1, "USD"), CENT),
        (Money.of(1, "USD"), Money.of(-1, "USD")),
        (Money.of(1, "EUR"), CENT),
    ],
)
def test_what_is_no_budget_is_refused(tmp_path: Path, cap: Money, price: Money) -> None:
    with pytest.raises(MachineError, match="PF815"):
        MoneyBudget(tmp_path / "spent.db", cap, per_token=price)


def test_other_files_are_refused(make: Make, tmp_path: Path) -> None:
    with make().reserved(1) as settle:
        settle(1)
    euro = Money.of(1, "EUR")
    with pytest.raises(MachineError, match=r"PF815.*kept in USD"):
        MoneyBudget(tmp_path / "books" / "spent.db", euro, per_token=euro)
    (tmp_path / "text.db").write_text("no database, but a text that is long enough to be read")
    with pytest.raises(MachineError, match="PF815"):
        MoneyBudget(tmp_path / "text.db", CENT, per_token=CENT)
