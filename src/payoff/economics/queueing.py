"""Waiting times in a queue with several servers."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

_TAIL: Final = 0.05
_BISECTIONS: Final = 60


def erlang_c(servers: int, offered: float) -> float:
    """Probability that a request must wait in an M/M/c queue.

    Uses ``1 / C = ρ + (1 − ρ) / B`` with Erlang's loss formula
    ``1 / B = Σ_{j=0..c} c! / ((c−j)! a^j)``, whose terms are products of ``(c − i) / a``.

    Source: A. K. Erlang 1917; e.g. D. Gross et al. 2008, "Fundamentals of Queueing Theory",
    4th ed., section 2.3.

    Args:
        servers: Number of servers ``c``, at least 1.
        offered: Offered load ``a = λ / μ`` in servers, 0 or more.

    Returns:
        Probability of waiting; 1 where the load reaches the number of servers.

    Example:
        >>> round(erlang_c(2, 1.0), 4)  # two servers, half busy: one third wait
        0.3333
    """
    if offered >= servers:
        return 1.0
    if offered <= 0.0:
        return 0.0
    with np.errstate(over="ignore"):
        inverse_loss = 1.0 + float(np.cumprod(np.arange(servers, 0, -1) / offered).sum())
    utilisation = offered / servers
    return 1.0 / (utilisation + (1.0 - utilisation) * inverse_loss)


def waiting_time_mean_ms(
    arrivals_per_s: float, service_ms: float, servers: int, *, service_scv: float = 1.0
) -> float:
    """Mean time that a request waits before it is served, in an M/G/c queue.

    The approximation of Allen and Cunneen: the waiting time of the M/M/c queue times
    ``(c_a² + c_s²) / 2``, with ``c_a² = 1`` for Poisson arrivals. It is exact for M/M/c and for
    M/G/1 (Pollaczek–Khinchine).

    Source: A. O. Allen 1990, "Probability, Statistics, and Queueing Theory with Computer Science
    Applications", 2nd ed., Academic Press, chapter 5.

    Args:
        arrivals_per_s: Mean arrivals a second.
        service_ms: Mean service time on one server.
        servers: Number of servers.
        service_scv: Squared coefficient of variation of the service time; 1 is exponential,
            0 is constant.

    Returns:
        Milliseconds; infinite where the servers cannot keep up.

    Example:
        >>> waiting_time_mean_ms(50, 10, 1)  # M/M/1 half busy: rho / (mu - lambda) = 0.5 / 50 s
        10.0
        >>> waiting_time_mean_ms(50, 10, 1, service_scv=0.0)  # M/D/1 waits half as long
        5.0
    """
    waits, conditional = _waiting(arrivals_per_s, service_ms, servers, service_scv=service_scv)
    return waits * conditional if waits > 0 else 0.0


def waiting_time_p95_ms(
    arrivals_per_s: float, service_ms: float, servers: int, *, service_scv: float = 1.0
) -> float:
    """Time that 95 % of the requests do not wait longer than, in an M/G/c queue.

    Those that wait at all are taken to wait exponentially, with the mean that Allen and Cunneen's
    formula implies: ``P(W > t) = C · exp(−t · C / E[W])``. This is exact for M/M/c.

    Args:
        arrivals_per_s: Mean arrivals a second.
        service_ms: Mean service time on one server.
        servers: Number of servers.
        service_scv: Squared coefficient of variation of the service time.

    Returns:
        Milliseconds; 0 where fewer than 5 % wait, infinite where the servers cannot keep up.

    Example:
        >>> round(waiting_time_p95_ms(50, 10, 1), 2)  # ln(0.5 / 0.05) / (100 - 50) s
        46.05
    """
    waits, conditional = _waiting(arrivals_per_s, service_ms, servers, service_scv=service_scv)
    return conditional * math.log(waits / _TAIL) if waits > _TAIL else 0.0


def _waiting(
    arrivals_per_s: float, service_ms: float, servers: int, *, service_scv: float
) -> tuple[float, float]:
    """Probability of waiting, and the mean wait of those that wait, in ms."""
    offered = arrivals_per_s * service_ms / 1000.0
    if offered >= servers:
        return 1.0, math.inf
    spare = (servers - offered) * 1000.0 / service_ms
    return erlang_c(servers, offered), (1.0 + service_scv) / 2.0 / spare * 1000.0


def most_arrivals_per_s(
    service_ms: float, servers: int, *, wait_p95_ms: float, service_scv: float = 1.0
) -> float:
    """The most arrivals a second at which 95 % wait no longer than that, by bisection.

    Example:
        >>> most = most_arrivals_per_s(10, 1, wait_p95_ms=46.0517)
        >>> round(most, 2)
        50.0
    """
    low, high = 0.0, servers * 1000.0 / service_ms
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        wait = waiting_time_p95_ms(middle, service_ms, servers, service_scv=service_scv)
        low, high = (middle, high) if wait <= wait_p95_ms else (low, middle)
    return low
