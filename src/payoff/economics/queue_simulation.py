"""A simulation of a pool of servers, which the formulas of `queueing` are checked against."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from payoff.core.errors import EconomicsError

Array = NDArray[np.float64]


def simulated_waits_s(arrivals_s: ArrayLike, service_s: ArrayLike, servers: int) -> Array:
    """Exact waiting times in a pool of servers with one queue: first come, first served.

    A request goes to the server that is free first (Kiefer & Wolfowitz 1955, "On the theory of
    queues with many servers", Trans. AMS 78). There is no approximation: whatever the arrivals
    and the service times are, these are the waits that they lead to.

    Args:
        arrivals_s: Times of arrival, rising; several requests may come at one time. Shape ``(n,)``.
        service_s: How long each is served, shape ``(n,)``.
        servers: Number of servers.

    Returns:
        Seconds from each arrival to the begin of its service, shape ``(n,)``.

    Raises:
        EconomicsError: PF604 where there is no server, or the times are no times.

    Example:
        >>> simulated_waits_s([0.0, 1.0, 1.0], [3.0, 3.0, 3.0], servers=2)
        array([0., 0., 2.])
    """
    arrivals, service = np.asarray(arrivals_s, float), np.asarray(service_s, float)
    _check(arrivals, service, servers)
    free = [0.0] * servers
    waits = []
    for arrival, needed in zip(arrivals.tolist(), service.tolist(), strict=True):
        first = free[0]
        start = first if first > arrival else arrival
        heapq.heapreplace(free, start + needed)
        waits.append(start - arrival)
    return np.asarray(waits)


def _check(arrivals: Array, service: Array, servers: int) -> None:
    wrong = ""
    if servers < 1:
        wrong = f"{servers} servers"
    elif arrivals.shape != service.shape or arrivals.ndim != 1:
        wrong = f"{arrivals.shape} arrivals and {service.shape} service times"
    elif not (np.isfinite(arrivals).all() and np.isfinite(service).all()):
        wrong = "a time that is not finite"
    elif (arrivals < 0).any() or (np.diff(arrivals) < 0).any() or (service < 0).any():
        wrong = "arrivals that do not rise from 0, or a negative service time"
    if wrong:
        raise EconomicsError(
            "PF604",
            "queue simulation",
            wrong,
            expected="a server or more, and as many rising arrivals as service times of 0 or more",
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests that come at random, alone or several at once, at a rate that may change.

    Requests come in groups; the groups are a Poisson process whose rate is constant within an
    hour; a group's size is geometric with the stated mean, so that 1 is a plain Poisson process.

    Args:
        per_s: Mean requests a second in each hour, repeated from the begin when they are over: one
            number for a constant rate, 168 for the hours of a week.
        at_once: Mean number of requests that come together, 1 or more.

    Raises:
        EconomicsError: PF604 where a rate is negative or all are 0, or ``at_once`` is below 1.

    Example:
        >>> times = Arrivals((10.0,)).draw(20_000, seed=0)
        >>> bool(19_800 < 10.0 * times[-1] < 20_200)
        True
    """

    per_s: tuple[float, ...]
    at_once: float = 1.0

    def __post_init__(self) -> None:
        rates = np.asarray(self.per_s, float)
        if not (rates.size and np.isfinite(rates).all() and (rates >= 0).all() and rates.any()):
            raise EconomicsError(
                "PF604", "arrivals", f"the rates are {self.per_s}", expected="0 or more, one above"
            )
        if not (np.isfinite(self.at_once) and self.at_once >= 1):
            raise EconomicsError(
                "PF604", "arrivals", f"at_once is {self.at_once}", expected="1 or more"
            )

    def draw(self, n_requests: int, *, seed: int) -> Array:
        """Times of arrival in seconds, rising, shape ``(n_requests,)``."""
        rng = np.random.default_rng(seed)
        sizes = rng.geometric(1.0 / self.at_once, n_requests)
        groups = int(np.searchsorted(np.cumsum(sizes), n_requests)) + 1
        sizes = sizes[:groups]
        # Expected groups so far, which a unit Poisson process counts, turned back into time.
        count = np.cumsum(rng.standard_exponential(groups)) * self.at_once
        hourly = np.asarray(self.per_s, float) * 3600.0
        cycles, rest = np.divmod(count, hourly.sum())
        ends = np.concatenate([[0.0], np.cumsum(hourly)])
        hour = np.minimum(np.searchsorted(ends, rest, side="right") - 1, hourly.size - 1)
        within = (rest - ends[hour]) / hourly[hour]
        times = (cycles * hourly.size + hour + within) * 3600.0
        return np.repeat(times, sizes)[:n_requests]

    def in_busiest_hour(self, times_s: Array) -> NDArray[np.bool_]:
        """Which of the arrivals fall into an hour of the highest rate, the same shape."""
        rates = np.asarray(self.per_s, float)
        hour = (times_s // 3600.0).astype(np.int64) % rates.size
        busiest: NDArray[np.bool_] = rates[hour] == rates.max()
        return busiest
