"""The cap on money and tokens, held against threads, processes, failures and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.money import Money

# A token read costs a cent, one written two.
PRICE = TokenPrice(Money.of("0.01", "USD"), Money.of("0.02", "USD"))
CENT = Money.of("0.01", "USD")
Make = Callable[..., EndpointBudget]

SPENDER = """
import sys
from pathlib import Path
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.money import Money
price = TokenPrice(Money.of("0.01", "USD"), Money.of("0.02", "USD"))
budget = EndpointBudget(Path(sys.argv[1]), money=Money.of(1, "USD"), wait_s=1.0)
if sys.argv[2] == "hang":
    with budget.reserved(10, 10, price):
        print("reserved", flush=True)
        sys.stdin.read()
cents = 0
try:
    while True:
        with budget.reserved(1, 1, price) as settle:
            settle(0, 1)
            cents += 2
except MachineError as error:
    assert error.code == "PF815"
print(cents)
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def budget(cap: float | None = 1.0, **changes: Any) -> EndpointBudget:
        money = None if cap is None else Money.of(cap, "USD")
        return EndpointBudget(tmp_path / "books" / "book.db", money=money, **changes)

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
    with budget.reserved(30, 10, PRICE) as settle:
        assert budget.money_used == Money.of("0.50", "USD")  # 30 · 1 + 10 · 2 cents
        settle(10, 5)
    assert budget.money_used == Money.of("0.20", "USD")
    with budget.reserved(0, 40, PRICE) as settle:  # to the cap and not beyond
        settle(0, 40)
    assert budget.money_used == Money.of(1, "USD")
    assert budget.tokens_used == 15 + 40
    with pytest.raises(MachineError, match=r"PF815.*1.00 USD of 1.00 USD are spent or reserved"):
        budget.reserved(1, 0, PRICE).__enter__()
    assert make(cap=2.0).money_used == Money.of(1, "USD"), "a restart forgets nothing"


def test_fractions_are_rounded_against_the_spender(make: Make) -> None:
    budget = make()
    third = Money(Decimal("0.0000000003"), "USD")
    with budget.reserved(1, 1, TokenPrice(third, third)) as settle:
        settle(1, 0)
    assert budget.money_used == Money(Decimal("1e-9"), "USD")


def test_what_failed_may_have_been_charged(make: Make) -> None:
    budget = make()
    with pytest.raises(RuntimeError), budget.reserved(40, 0, PRICE):
        raise RuntimeError("the line went dead")
    assert budget.money_used == Money.of("0.40", "USD")
    with pytest.raises(MachineError, match="PF815"), budget.reserved(61, 0, PRICE):
        pass


def test_it_waits_for_what_others_give_back(make: Make) -> None:
    budget, other = make(), make()
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with budget.reserved(90, 0, PRICE) as settle:
            inside.set()
            leave.wait(30)
            settle(10, 0)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(MachineError, match="PF815"), make(wait_s=0.0).reserved(50, 0, PRICE):
        pass
    threading.Timer(0.1, leave.set).start()
    with other.reserved(50, 0, PRICE) as settle:
        settle(50, 0)
    thread.join()
    assert budget.money_used == Money.of("0.60", "USD")


def test_threads_never_pass_the_cap(make: Make) -> None:
    budget, paid, lock = make(wait_s=5.0), [0], threading.Lock()
    codes: list[str] = []

    def spend() -> None:
        try:
            while True:
                with budget.reserved(5, 0, PRICE) as settle:
                    with lock:
                        paid[0] += 4
                    settle(4, 0)
        except MachineError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["PF815"] * 8
    assert 95 < paid[0] <= 100
    assert budget.money_used == paid[0] * CENT


def test_processes_and_a_kill_never_pass_the_cap(make: Make) -> None:
    budget = make()
    victim = spender(budget.path, "hang")
    assert victim.stdout is not None
    assert victim.stdout.readline() == "reserved\n"
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert budget.money_used == Money.of("0.30", "USD"), "what it had reserved stays spent"
    both = [spender(budget.path, "spend") for _ in range(2)]
    # What a dead process reserved is waited for in vain only where it stands in the way.
    paid = sum(int(one.communicate(timeout=100)[0]) for one in both)
    assert paid <= 70
    assert budget.money_used == (30 + paid) * CENT


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(0, 15),
            st.integers(0, 30),
            st.integers(0, 15),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_the_book_is_the_sum_of_what_was_charged(
    tmp_path_factory: pytest.TempPathFactory, attempts: list[tuple[int, int, int, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("property") / "book.db"
    budget = EndpointBudget(path, money=Money.of(1, "USD"), tokens=80)
    cents = tokens = 0
    for read, written, used_read, used_written, told in attempts:
        used_read, used_written = min(used_read, read), min(used_written, written)
        fits = cents + read + 2 * written <= 100 and tokens + read + written <= 80
        if not fits:
            with pytest.raises(MachineError, match="PF815"):
                budget.reserved(read, written, PRICE).__enter__()
            continue
        with budget.reserved(read, written, PRICE) as settle:
            if told:
                settle(used_read, used_written)
        charged = (used_read, used_written) if told else (read, written)
        cents += charged[0] + 2 * charged[1]
        tokens += sum(charged)
        assert budget.money_used == cents * CENT
        assert budget.tokens_used == tokens


def test_a_cap_of_a_month_begins_anew_and_one_for_ever_does_not(make: Make) -> None:
    time_s = [1_790_000_000.0]  # 2026-09-21
    monthly = make(monthly=True, now=lambda: time_s[0])
    with monthly.reserved(0, 50, PRICE) as settle:
        settle(100, 0)
    with pytest.raises(MachineError, match=r"PF815.*cap of a month"):
        monthly.reserved(1, 0, PRICE).__enter__()
    time_s[0] += 15 * 86_400.0
    assert monthly.money_used == Money.of(0, "USD")
    with monthly.reserved(60, 0, PRICE) as settle:
        settle(60, 0)
    assert monthly.money_used == Money.of("0.60", "USD")
    assert make(now=lambda: time_s[0]).money_used == Money.of("1.60", "USD")


def test_an_attempt_over_the_turn_of_the_month_counts_in_the_new_one(make: Make) -> None:
    time_s = [1_790_812_790.0]  # ten seconds before October
    monthly = make(monthly=True, wait_s=0.0, now=lambda: time_s[0])
    with monthly.reserved(60, 0, PRICE) as settle:
        time_s[0] += 20.0
        assert monthly.money_used == Money.of("0.60", "USD"), "it may be charged now"
        with pytest.raises(MachineError, match="PF815"):
            monthly.reserved(41, 0, PRICE).__enter__()
        settle(50, 0)
    assert monthly.money_used == Money.of("0.50", "USD")


def test_more_than_was_allowed_is_counted_and_told(make: Make) -> None:
    budget = make()
    with budget.reserved(10, 0, PRICE) as settle:
        settle(10, 60)
    assert budget.used.beyond == 1
    assert budget.money_used == Money.of("1.30", "USD")
    with pytest.raises(MachineError, match=r"PF815.*1 took more tokens than they were allowed"):
        budget.reserved(1, 0, PRICE).__enter__()


def test_tokens_alone_are_capped_without_any_price(make: Make) -> None:
    budget = make(cap=None, tokens=100)
    with budget.reserved(60, 10, None) as settle:
        settle(50, 5)
    assert (budget.tokens_used, budget.money_used) == (55, None)
    with pytest.raises(MachineError, match=r"PF815.*55 of 100 tokens"):
        budget.reserved(40, 6, None).__enter__()


def test_money_without_a_price_is_refused_and_not_ignored(make: Make) -> None:
    budget = make()
    euro = TokenPrice.parse("1 2 EUR", where="here")
    for price, told in ((None, "nobody knows"), (euro, "priced in EUR")):
        with pytest.raises(MachineError, match=rf"PF817.*{told}.*PAYOFF_ENDPOINT_PRICE"):
            budget.reserved(1, 1, price).__enter__()
    assert budget.money_used == Money.of(0, "USD")


def test_what_is_no_cap_and_no_price_is_refused(make: Make) -> None:
    for changes in ({"cap": -1.0}, {"cap": None, "tokens": -1}):
        with pytest.raises(MachineError, match="PF817"):
            make(**changes)  # type: ignore[arg-type]
    for text in ("", "1", "1 2", "1 x USD", "1 2 dollars", "-1 2 USD", "nan 1 USD", "1 inf USD"):
        with pytest.raises(MachineError, match="PF817 here"):
            TokenPrice.parse(text, where="here")
    with pytest.raises(MachineError, match="PF817"):
        TokenPrice(CENT, Money.of(1, "EUR"))


def test_other_files_are_refused(make: Make, tmp_path: Path) -> None:
    with make().reserved(1, 0, PRICE) as settle:
        settle(1, 0)
    with pytest.raises(MachineError, match=r"PF817.*kept in USD"):
        EndpointBudget(tmp_path / "books" / "book.db", money=Money.of(1, "EUR"))
    (tmp_path / "text.db").write_text("no database, but a text that is long enough to be read")
    with pytest.raises(MachineError, match="PF817"):
        EndpointBudget(tmp_path / "text.db", money=CENT)
    with pytest.raises(MachineError, match="PF802"):
        EndpointBudget(tmp_path, money=CENT)  # a folder
