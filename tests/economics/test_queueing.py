"""Queueing: against tabulated Erlang values, exact special cases and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.economics.queue_simulation import Arrivals, simulated_waits_s
from payoff.economics.queueing import (
    LATE_AT_MOST,
    late_share,
    most_arrivals_per_s,
    waiting_probability,
    waiting_time_mean_ms,
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
    assert waiting_probability(servers, offered) == pytest.approx(expected)


@given(servers=st.integers(1, 60), utilisation=st.floats(0.01, 0.99))
@settings(deadline=None)
def test_agrees_with_the_textbook(servers: int, utilisation: float) -> None:
    offered = servers * utilisation
    assert waiting_probability(servers, offered) == pytest.approx(
        textbook_erlang_c(servers, offered)
    )


def test_many_servers_do_not_overflow() -> None:
    assert 0.0 <= waiting_probability(5000, 2500.0) < 1e-100
    assert 0.0 < waiting_probability(2000, 1990.0) < 1.0


def test_mm2_waiting_time_by_hand() -> None:
    # lambda = 100/s, mu = 100/s each, c = 2: Wq = C / (c mu - lambda) = (1/3) / 100 s
    assert waiting_time_mean_ms(100, 10, 2) == pytest.approx(10 / 3)
    # constant service, 7 ms left to wait: w = (1 + 0) / 2 / (200 - 100) s = 5 ms
    late = late_share(100, 10, 2, limit_ms=17.0, alone_p95_ms=10.0, service_scv=0.0)
    assert late == pytest.approx((1 / 3) * math.exp(-7 / 5))


@given(rho=st.floats(0.05, 0.95), scv=st.floats(0, 4))
@settings(deadline=None)
def test_one_server_is_pollaczek_khinchine(rho: float, scv: float) -> None:
    service_ms = 10.0
    expected = rho / (1 - rho) * service_ms * (1 + scv) / 2
    got = waiting_time_mean_ms(rho * 100, service_ms, 1, service_scv=scv)
    assert got == pytest.approx(expected)


def test_no_arrivals_no_wait_and_no_capacity_no_end() -> None:
    assert waiting_time_mean_ms(0, 10, 3) == 0.0
    assert waiting_time_mean_ms(400, 10, 3) == math.inf


@given(
    servers=st.integers(1, 8),
    slack=st.floats(1.0, 5),
    scv=st.floats(0, 2),
    at_once=st.floats(1, 6),
)
@settings(max_examples=30, deadline=None)
def test_the_most_arrivals_just_hold_the_limit(
    servers: int, slack: float, scv: float, at_once: float
) -> None:
    asked = {
        "limit_ms": 20.0 * slack,
        "alone_p95_ms": 20.0,
        "service_scv": scv,
        "at_once": at_once,
    }
    most = most_arrivals_per_s(10, servers, **asked)
    assert late_share(most * 1.001 + 1e-6, 10, servers, **asked) > LATE_AT_MOST
    if most > 1e-6:
        assert late_share(most, 10, servers, **asked) <= LATE_AT_MOST


@given(rho=st.floats(0.05, 0.9), factor=st.floats(1.0, 4))
@settings(max_examples=30, deadline=None)
def test_late_share_of_one_exponential_server_is_exact(rho: float, factor: float) -> None:
    """M/M/1: the time in the system is exponential with rate mu - lambda."""
    alone = 10.0 * math.log(20)
    limit = factor * alone
    share = late_share(100 * rho, 10, 1, limit_ms=limit, alone_p95_ms=alone)
    assert share == pytest.approx(math.exp(-(1 - rho) * limit / 10), abs=0.004)


def test_late_share_ends() -> None:
    asked = {"limit_ms": 30.0, "alone_p95_ms": 20.0}
    assert late_share(200, 10, 2, **asked) == 1.0
    assert late_share(0, 10, 2, **asked) < 0.05
    regular = {"service_scv": 0.0, "limit_ms": 10.0, "alone_p95_ms": 10.0}
    # every request takes just the limit: late are those that wait
    assert late_share(100, 10, 2, **regular) == pytest.approx(1 / 3)


# --- against the simulation -----------------------------------------------------------------------


def simulated(
    arrivals: Arrivals, service_ms: float, scv: float, servers: int, *, n: int = 60_000
) -> np.ndarray:
    rng = np.random.default_rng(5)
    service = rng.gamma(1 / scv, service_ms * scv, n) if scv else np.full(n, service_ms)
    times = arrivals.draw(n, seed=6)
    return 1000 * simulated_waits_s(times, service / 1000, servers)[n // 10 :]


def test_a_simulated_mdc_queue_waits_about_as_long() -> None:
    """Constant service on 3 servers, 80 % busy: the approximation is within a tenth."""
    waits = simulated(Arrivals((240.0,)), 10, 0.0, 3)
    told = waiting_time_mean_ms(240, 10, 3, service_scv=0.0)
    assert told == pytest.approx(waits.mean(), rel=0.1)


@pytest.mark.parametrize(("servers", "busy", "at_once"), [(1, 0.7, 1), (4, 0.7, 3), (8, 0.3, 5)])
def test_exponential_service_is_exact_also_in_groups(
    servers: int, busy: float, at_once: float
) -> None:
    rate = 100 * servers * busy
    waits = simulated(Arrivals((rate,), at_once), 10, 1.0, servers, n=200_000)
    told = waiting_probability(servers, servers * busy, at_once=at_once)
    assert told == pytest.approx((waits > 0).mean(), rel=0.03)
    mean = waiting_time_mean_ms(rate, 10, servers, at_once=at_once)
    assert mean == pytest.approx(waits.mean(), rel=0.08)
    rng = np.random.default_rng(7)
    answers = waits + rng.exponential(10, waits.size)
    limit = 1.5 * 10 * math.log(20)
    late = late_share(rate, 10, servers, limit_ms=limit, alone_p95_ms=limit / 1.5, at_once=at_once)
    assert late == pytest.approx((answers > limit).mean(), abs=0.006)


@given(servers=st.integers(1, 30), busy=st.floats(0.01, 0.95), more=st.floats(1, 5))
@settings(deadline=None)
def test_larger_groups_wait_more(servers: int, busy: float, more: float) -> None:
    alone = waiting_probability(servers, servers * busy, at_once=1.5)
    assert waiting_probability(servers, servers * busy, at_once=1.5 * more) >= alone - 1e-12
