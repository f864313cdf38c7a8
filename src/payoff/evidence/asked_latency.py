"""Latency of an endpoint, from the requests that were made anyway: measuring costs no more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from payoff.core.errors import DataError
from payoff.evidence.latency import Latency


def asked_latency(seconds: Sequence[float], *, parallel: int) -> Latency:
    """What an endpoint's answers took.

    Args:
        seconds: From question to answer, tries in between included, one a request.
        parallel: Requests that were under way at once.

    Raises:
        DataError: PF106 where there is no request.

    Example:
        >>> latency = asked_latency([0.4, 0.6, 0.5], parallel=2)
        >>> latency.p50_ms, latency.texts_per_s
        (500.0, 4.0)
    """
    if not seconds:
        raise DataError("PF106", "latency", "there is no request to measure with")
    taken = np.asarray(seconds, np.float64)
    return Latency(
        p50_ms=float(np.percentile(taken, 50) * 1e3),
        p95_ms=float(np.percentile(taken, 95) * 1e3),
        texts_per_s=float(parallel / max(float(taken.mean()), 1e-9)),
        batch_size=parallel,
        n_measured=len(taken),
        threads=0,
    )
