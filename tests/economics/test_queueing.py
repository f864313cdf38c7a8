"""Queueing: against tabulated Erlang values, exact special cases and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.economics.queueing import (
    erlang_c,
    most_arrivals_per_s,
    waiting_time_mean_ms,
    waiting_time_p95_ms,
)


def textbook_erlang_c(servers: int, offered: float) -> float:
    """The formula as textbooks write it, in exact factorials."""
    top = offered**servers / math.factorial(servers) * servers / (servers - offered)
    below = sum(offered**j / math.factorial(j) for j in range(servers))
    return top / (below + top)


@pytest.mark.parametrize(
    ("servers", "offered", "expected"),
    # M/M/1: rho; M/M/2 with a = 1: 1/3; M/M/3 with a = 2: 4/9; both solved by hand
    [(1, 0.7, 0.7), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (4, 0.0, 0.0), (2, 2.0, 1.0), (1, 5.0, 1.0)],
)
def test_known_values(servers: int, offered: float, expected: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(expected)


@given(servers=st.integers(1, 60), utilisation=st.floats(0.01, 0.99))
@settings(deadline=None)
def test_agrees_with_the_textbook(servers: int, utilisation: float) -> None:
    offered = servers * utilisation
    assert erlang_c(servers, offered) == pytest.approx(textbook_erlang_c(servers, offered))


def test_many_servers_do_not_overflow() -> None:
    assert 0.0 <= erlang_c(5000, 2500.0) < 1e-100
    assert 0.0 < erlang_c(2000, 1990.0) < 1.0


def test_mm2_waiting_time_by_hand() -> None:
    # lambda = 100/s, mu = 100/s each, c = 2: Wq = C / (c mu - lambda) = (1/3) / 100 s
    assert waiting_time_mean_ms(100, 10, 2) == pytest.approx(10 / 3)
    # P(W > t) = C exp(-(c mu - lambda) t) = 0.05
    assert waiting_time_p95_ms(100, 10, 2) == pytest.approx(10 * math.log((1 / 3) / 0.05))


@given(rho=st.floats(0.05, 0.95), scv=st.floats(0, 4))
@settings(deadline=None)
def test_one_server_is_pollaczek_khinchine(rho: float, scv: float) -> None:
    service_ms = 10.0
    expected = rho / (1 - rho) * service_ms * (1 + scv) / 2
    got = waiting_time_mean_ms(rho * 100, service_ms, 1, service_scv=scv)
    assert got == pytest.approx(expected)


def test_no_arrivals_no_wait_and_no_capacity_no_end() -> None:
    assert waiting_time_mean_ms(0, 10, 3) == 0.0
    assert waiting_time_p95_ms(1, 10, 3) == 0.0
    assert waiting_time_mean_ms(400, 10, 3) == math.inf
    assert waiting_time_p95_ms(300, 10, 3) == math.inf


@given(servers=st.integers(1, 8), wait=st.floats(0, 200))
@settings(max_examples=30, deadline=None)
def test_the_most_arrivals_just_hold_the_limit(servers: int, wait: float) -> None:
    most = most_arrivals_per_s(10, servers, wait_p95_ms=wait)
    assert waiting_time_p95_ms(most, 10, servers) <= wait
    assert waiting_time_p95_ms(most * 1.001 + 1e-6, 10, servers) > wait


def test_a_simulated_mdc_queue_waits_about_as_long() -> None:
    """Constant service on 3 servers, 80 % busy: the approximation is within a tenth."""
    rng = np.random.default_rng(5)
    service, rate, servers = 0.010, 240.0, 3
    free = np.zeros(servers)
    clock, waits = 0.0, []
    for gap in rng.exponential(1 / rate, 60_000):
        clock += gap
        start = max(clock, free.min())
        free[int(np.argmin(free))] = start + service
        waits.append(start - clock)
    told = waiting_time_mean_ms(rate, service * 1000, servers, service_scv=0.0)
    assert told == pytest.approx(np.mean(waits[5000:]) * 1000, rel=0.1)
