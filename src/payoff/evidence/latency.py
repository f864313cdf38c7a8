"""Latency: how long an answer takes, and how many a second gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from payoff.core.errors import DataError

_WARM_UP = 3
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one model on one machine.

    Args:
        p50_ms: Half of single answers take no longer.
        p95_ms: 95 % of single answers take no longer.
        texts_per_s: Throughput in batches.
        batch_size: Texts of one batch.
        n_measured: Single answers timed.
        threads: Threads the model used; 0 where that was left to the model.
    """

    p50_ms: float
    p95_ms: float
    texts_per_s: float
    batch_size: int
    n_measured: int
    threads: int

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_latency(
    answer: Callable[[Sequence[str]], object],
    texts: Sequence[str],
    *,
    seconds: float = 1.0,
    batch_size: int = 64,
    threads: int = 0,
) -> Latency:
    """Time single answers for ``seconds``, then batches for as long again.

    Args:
        answer: What is timed, from texts to anything; called with one text and with batches.
        texts: Real texts, taken in turn, so that lengths are those of the traffic.
        seconds: How long each of the two is measured; at least one call of each is made.
        batch_size: Texts of one batch; fewer where there are fewer texts.
        threads: Told in the result only.

    Raises:
        DataError: PF106 where there is no text.

    Example:
        >>> measure_latency(len, ["a", "b"], seconds=0.01).batch_size
        2
    """
    if not texts:
        raise DataError("PF106", "latency", "there is no text to measure with")
    for i in range(_WARM_UP):
        answer([texts[i % len(texts)]])
    single_s = _timed(answer, [[text] for text in texts[:_MOST]], seconds)
    batch_size = min(batch_size, len(texts))
    last = len(texts) - batch_size + 1
    groups = [list(texts[i : i + batch_size]) for i in range(0, last, batch_size)]
    answer(groups[0])
    batch_s = _timed(answer, groups, seconds)
    return Latency(
        p50_ms=float(np.percentile(single_s, 50) * 1e3),
        p95_ms=float(np.percentile(single_s, 95) * 1e3),
        texts_per_s=float(batch_size * len(batch_s) / sum(batch_s)),
        batch_size=batch_size,
        n_measured=len(single_s),
        threads=threads,
    )


def _timed(
    answer: Callable[[Sequence[str]], object], groups: list[list[str]], seconds: float
) -> list[float]:
    """Seconds of each call, with ``groups`` in turn until the time is over."""
    taken: list[float] = []
    begin = time.perf_counter()
    while not taken or (time.perf_counter() - begin < seconds and len(taken) < _MOST):
        group = groups[len(taken) % len(groups)]
        start = time.perf_counter()
        answer(group)
        taken.append(time.perf_counter() - start)
    return taken
