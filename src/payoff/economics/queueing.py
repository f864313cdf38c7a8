"""Waiting times in a queue with several servers."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

_TAIL: Final = 0.05
LATE_AT_MOST: Final = _TAIL + 1e-4
"""Share of answers that may be late; the little more lets a limit equal the measured quantile."""

_BISECTIONS: Final = 40
_POINTS: Final = 200


def waiting_probability(servers: int, offered: float, *, at_once: float = 1.0) -> float:
    """Probability that a request must wait, where requests come in groups and service is random.

    Groups are Poisson arrivals of geometric size with mean ``m``, service is exponential. Let
    ``S_n = Π_{j=1..n} (q + a / (m·min(j, c)))`` with ``q = 1 − 1/m``. The flow between ``n`` and
    ``n + 1`` requests being equal both ways, an arriving request finds ``n`` others ahead of it, in
    the system and in its own group, with probability proportional to ``S_n``; it waits where
    that is ``c`` or more. For ``m = 1`` this is Erlang's formula C.

    Source: derived as in D. Gross et al. 2008, "Fundamentals of Queueing Theory", 4th ed.,
    sections 2.3 (Erlang C) and 3.1 (bulk input); checked against `queue_simulation` in the tests.

    Args:
        servers: Number of servers ``c``, at least 1.
        offered: Offered load ``a = λ / μ`` in servers, 0 or more.
        at_once: Mean size ``m`` of a group, 1 or more; 1 is a request at a time.

    Returns:
        Probability of waiting; 1 where the load reaches the number of servers.

    Example:
        >>> round(waiting_probability(2, 1.0), 4)  # two servers, half busy: one third wait
        0.3333
        >>> round(waiting_probability(1, 1e-9, at_once=4.0), 4)  # all but the first of a group
        0.75
    """
    if offered >= servers:
        return 1.0
    if offered <= 0.0:
        return 0.0
    together = 1.0 - 1.0 / at_once
    load = offered / at_once
    # S_n / S_{c-1}, from n = c - 1 downwards: no product can overflow, only vanish.
    down = 1.0 / (together + load / np.arange(servers - 1, 0, -1))
    with np.errstate(over="ignore"):
        serving = 1.0 + float(np.cumprod(down).sum())
    ratio = together + load / servers
    return 1.0 / (1.0 + serving * (1.0 - ratio) / ratio)


def waiting_time_mean_ms(
    arrivals_per_s: float,
    service_ms: float,
    servers: int,
    *,
    service_scv: float = 1.0,
    at_once: float = 1.0,
) -> float:
    """Mean time that a request waits before it is served, in a G/G/c queue.

    The approximation of Allen and Cunneen: with exponential service, a request that waits does so
    for ``1 / (cμ − λ)``; this times ``(c_a² + c_s²) / 2``, where ``c_a² = 2 m − 1`` for groups of
    mean size ``m`` and 1 for Poisson arrivals. It is exact for exponential service, with and
    without groups, and for M/G/1 (Pollaczek–Khinchine).

    Source: A. O. Allen 1990, "Probability, Statistics, and Queueing Theory with Computer Science
    Applications", 2nd ed., Academic Press, chapter 5.

    Args:
        arrivals_per_s: Mean arrivals a second.
        service_ms: Mean service time on one server.
        servers: Number of servers.
        service_scv: Squared coefficient of variation of the service time; 1 is exponential,
            0 is constant.
        at_once: Mean number of requests that come together.

    Returns:
        Milliseconds; infinite where the servers cannot keep up.

    Example:
        >>> waiting_time_mean_ms(50, 10, 1)  # M/M/1 half busy: rho / (mu - lambda) = 0.5 / 50 s
        10.0
        >>> waiting_time_mean_ms(50, 10, 1, service_scv=0.0)  # M/D/1 waits half as long
        5.0
    """
    waits, conditional = _waiting(
        arrivals_per_s, service_ms, servers, service_scv=service_scv, at_once=at_once
    )
    return waits * conditional if waits > 0 else 0.0


def late_share(
    arrivals_per_s: float,
    service_ms: float,
    servers: int,
    *,
    limit_ms: float,
    alone_p95_ms: float,
    service_scv: float = 1.0,
    at_once: float = 1.0,
) -> float:
    """Share of the requests whose answer takes longer than a limit, waiting included.

    An answer takes ``W + S``: the wait, and the request's own time of service, which do not depend
    on each other. ``S`` is taken as gamma-distributed with the squared coefficient of variation
    given (quantiles by Wilson & Hilferty 1931), scaled so that its 95 % quantile is what was
    measured of one request alone. ``W`` is over ``t`` with probability ``C · exp(−t / w)``, ``w``
    being what Allen and Cunneen give those that wait; exact for exponential service. With regular
    service, who stands behind ``c`` others of one group waits whole services instead: for the
    share ``(1 − c_s²) · (1 − 1/m) · (1 − ρ)`` the tail is ``C · σ^(c·⌊t / service⌋)``, with ``σ``
    the ratio of `waiting_probability`. That interpolation is a guess, good to a few servers.

    Args:
        arrivals_per_s: Mean arrivals a second.
        service_ms: Mean service time on one server.
        servers: Number of servers.
        limit_ms: Longest time that an answer may take.
        alone_p95_ms: 95 % quantile of the time of one request that does not wait.
        service_scv: Squared coefficient of variation of the service time.
        at_once: Mean number of requests that come together.

    Returns:
        From 0 to 1; 1 where the servers cannot keep up.

    Example:
        >>> exponential = {"service_ms": 10.0, "alone_p95_ms": 29.957, "servers": 1}
        >>> share = late_share(50, limit_ms=59.915, **exponential)
        >>> round(share, 2)  # M/M/1: exp(-(mu - lambda) t) = exp(-0.05 / ms * 59.915 ms)
        0.05
    """
    waits, mean_ms = _waiting(
        arrivals_per_s, service_ms, servers, service_scv=service_scv, at_once=at_once
    )
    if math.isinf(mean_ms):
        return 1.0
    left = limit_ms - alone_p95_ms * _service_quantiles(service_scv)
    spare = np.maximum(left, 0.0)
    over = np.exp(-spare / mean_ms)
    idle = 1.0 - arrivals_per_s * service_ms / 1000.0 / servers
    regular = max(0.0, 1.0 - service_scv) * (1.0 - 1.0 / at_once) * idle
    if regular > 0.0:
        ratio = 1.0 - idle / at_once
        whole = ratio ** (servers * np.floor(spare / service_ms))
        over = (1.0 - regular) * over + regular * whole
    return float(np.where(left < 0.0, 1.0, waits * over).mean())


@lru_cache(maxsize=64)
def _service_quantiles(service_scv: float) -> NDArray[np.float64]:
    """Equally probable service times over their own 95 % quantile, shape ``(_POINTS,)``."""
    levels = (np.arange(_POINTS) + 0.5) / _POINTS
    z = np.array([NormalDist().inv_cdf(level) for level in (*levels.tolist(), 1.0 - _TAIL)])
    times = np.maximum(1.0 - service_scv / 9.0 + z * math.sqrt(service_scv) / 3.0, 0.0) ** 3
    quantiles: NDArray[np.float64] = times[:-1] / times[-1]
    return quantiles


def _waiting(
    arrivals_per_s: float, service_ms: float, servers: int, *, service_scv: float, at_once: float
) -> tuple[float, float]:
    """Probability of waiting, and the mean wait of those that wait, in ms."""
    offered = arrivals_per_s * service_ms / 1000.0
    if offered >= servers:
        return 1.0, math.inf
    spare = (servers - offered) * 1000.0 / service_ms
    arrival_scv = 2.0 * at_once - 1.0
    waits = waiting_probability(servers, offered, at_once=at_once)
    return waits, (arrival_scv + service_scv) / 2.0 / spare * 1000.0


def most_arrivals_per_s(
    service_ms: float,
    servers: int,
    *,
    limit_ms: float,
    alone_p95_ms: float,
    service_scv: float = 1.0,
    at_once: float = 1.0,
) -> float:
    """The most arrivals a second at which 95 % of the answers hold a limit, by bisection.

    Example:
        >>> most = most_arrivals_per_s(10, 1, limit_ms=59.915, alone_p95_ms=29.957)
        >>> 49 < most < 51
        True
    """
    low, high = 0.0, servers * 1000.0 / service_ms
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        late = late_share(
            middle,
            service_ms,
            servers,
            limit_ms=limit_ms,
            alone_p95_ms=alone_p95_ms,
            service_scv=service_scv,
            at_once=at_once,
        )
        low, high = (middle, high) if late <= LATE_AT_MOST else (low, middle)
    return low
