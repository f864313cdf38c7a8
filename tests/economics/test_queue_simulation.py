"""The simulation itself: by hand, against a plain search for the free server, and its arrivals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.economics.queue_simulation import Arrivals, simulated_waits_s


def test_by_hand() -> None:
    # two servers: the third waits for the first to end at 4, the fourth for the second at 6
    waits = simulated_waits_s([0, 1, 2, 2], [4, 5, 1, 1], 2)
    assert waits.tolist() == [0, 0, 2, 3]


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 9)), min_size=1, max_size=40),
    st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_agrees_with_a_plain_search(requests: list[tuple[float, float]], servers: int) -> None:
    arrivals = np.cumsum([gap for gap, _ in requests])
    service = [needed for _, needed in requests]
    free = [0.0] * servers
    expected = []
    for arrival, needed in zip(arrivals, service, strict=True):
        first = min(range(servers), key=free.__getitem__)
        begin = max(arrival, free[first])
        free[first] = begin + needed
        expected.append(begin - arrival)
    waits = simulated_waits_s(arrivals, service, servers)
    assert waits == pytest.approx(expected)
    more = simulated_waits_s(arrivals, service, servers + 1)
    assert (more <= waits + 1e-9).all()


def test_the_same_seed_gives_the_same_arrivals() -> None:
    arrivals = Arrivals((1.0, 5.0), 3.0)
    assert (arrivals.draw(500, seed=1) == arrivals.draw(500, seed=1)).all()
    assert (arrivals.draw(500, seed=1) != arrivals.draw(500, seed=2)).any()


def test_rates_change_with_the_hour() -> None:
    arrivals = Arrivals((0.0, 1.0, 3.0))
    times = arrivals.draw(100_000, seed=0)
    assert (np.diff(times) >= 0).all()
    hour = (times // 3600).astype(int) % 3
    cycles = times[-1] / 3 / 3600
    counts = np.bincount(hour, minlength=3) / cycles
    assert counts[0] == 0
    assert counts[1:] == pytest.approx([3600, 10_800], rel=0.03)
    assert (arrivals.in_busiest_hour(times) == (hour == 2)).all()


def test_groups_have_their_mean_size_and_spread() -> None:
    times = Arrivals((10.0,), 4.0).draw(100_000, seed=0)
    sizes = np.unique(times, return_counts=True)[1][:-1]
    assert sizes.mean() == pytest.approx(4.0, rel=0.02)
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.1, rel=0.03)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(2 * 4 - 1, rel=0.05)
    assert len(np.unique(Arrivals((1.0,)).draw(1000, seed=0))) == 1000


@pytest.mark.parametrize(
    ("arrivals", "service", "servers"),
    [
        ([0.0], [1.0], 0),
        ([0.0, 1.0], [1.0], 1),
        ([1.0, 0.0], [1.0, 1.0], 1),
        ([-1.0], [1.0], 1),
        ([0.0], [-1.0], 1),
        ([0.0], [float("nan")], 1),
    ],
)
def test_bad_queues(arrivals: list[float], service: list[float], servers: int) -> None:
    with pytest.raises(EconomicsError, match="PF604"):
        simulated_waits_s(arrivals, service, servers)


@pytest.mark.parametrize(
    ("rates", "at_once"),
    [((), 1.0), ((0.0,), 1.0), ((-1.0, 2.0), 1.0), ((float("inf"),), 1.0), ((1.0,), 0.5)],
)
def test_bad_arrivals(rates: tuple[float, ...], at_once: float) -> None:
    with pytest.raises(EconomicsError, match="PF604"):
        Arrivals(rates, at_once)
