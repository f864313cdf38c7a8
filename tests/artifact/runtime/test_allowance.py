"""An allowance holds over threads, and counts what nobody counted at its most."""

from __future__ import annotations

import threading

import pytest

from payoff.artifact.runtime.allowance import Allowance
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.money import Money

PRICE = TokenPrice.parse("1000 2000 USD", where="test")  # 1 and 2 thousandths of a dollar a token


def test_an_allowance_is_never_passed_by_threads_together() -> None:
    allowance = Allowance(PRICE)
    allowance.allow(Money.of(1, "USD"))
    refused: list[str] = []

    def work() -> None:
        for _ in range(40):
            try:
                with allowance.reserved(20, 5, PRICE) as settle:  # 0.03 at most
                    settle(10, 5)  # 0.02
            except MachineError as error:
                refused.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    charged = allowance.take()
    cost = PRICE.cost(charged.read, charged.written)
    assert Money.of("0.97", "USD") < cost <= Money.of(1, "USD")
    assert len(refused) == 200 - charged.n_attempts
    assert set(refused) == {"PF820"}


def test_an_allowance_counts_what_nobody_counted_at_its_most() -> None:
    allowance = Allowance(PRICE)
    with allowance.reserved(20, 5, PRICE):
        pass  # no answer in time
    with allowance.reserved(20, 5, PRICE) as settle:
        settle(0, 0)  # nothing was sent
    taken = allowance.take()
    assert (taken.n_attempts, taken.n_unmetered, taken.read, taken.written) == (1, 1, 20, 5)
    allowance.give_back(taken)
    assert allowance.take() == taken
    allowance.allow(Money.of(1, "USD"))
    unpriced = Allowance(None)
    unpriced.allow(Money.of(1, "USD"))
    with pytest.raises(MachineError, match="PF820"), unpriced.reserved(1, 1, None):
        pass
