"""Requests: what the journal tells of an experiment's requests, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from payoff.learn.experiments.tally import Array


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Requests:
    """One row a decision, in the order of time; in the shadow each request has two.

    Args:
        customer: Number of the customer, ``(n,)``, int64, from 0; requests that name none have a
            number of their own.
        treated: Whether the treatment decided, ``(n,)``, bool.
        stage: Number of the experiment's stage, ``(n,)``, int64, from 0.
        day: Days since the experiment began, ``(n,)``.
        expected: What the model said the action is worth, cost taken off, ``(n,)``, money.
        realised: What it was worth, cost taken off, ``(n,)``; NaN where nobody has told yet.
        handed_over: Whether it went to a person, ``(n,)``, bool.
        latency_ms: From the text's arrival to its decision, ``(n,)``.
        earlier: What the customer's requests brought on average before the experiment, ``(n,)``;
            NaN where it is new.

    Example:
        >>> requests = drawn(100)
        >>> len(requests), len(requests.only(requests.treated)) < 100
        (100, True)
    """

    customer: NDArray[np.int64]
    treated: NDArray[np.bool_]
    stage: NDArray[np.int64]
    day: Array
    expected: Array
    realised: Array
    handed_over: NDArray[np.bool_]
    latency_ms: Array
    earlier: Array

    def __len__(self) -> int:
        return len(self.customer)

    def only(self, rows: NDArray[np.bool_]) -> Requests:
        """Some of them, ``rows`` of ``(n,)``."""
        return Requests(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def ordered(self, order: NDArray[np.int64], customer: NDArray[np.int64]) -> Requests:
        """In another order, with customers numbered anew: both ``(n,)``."""
        columns = {one.name: getattr(self, one.name)[order] for one in fields(self)}
        return Requests(**columns | {"customer": customer})

    @property
    def covariate(self) -> Array | None:
        """`earlier`, with the mean of the known ones for new customers; None where all are new."""
        known = np.isfinite(self.earlier)
        if not known.any():
            return None
        return np.where(known, self.earlier, self.earlier[known].mean())

    @property
    def newcomers(self) -> NDArray[np.int64]:
        """The row in which each customer came first, in the order of time, ``(n_customers,)``."""
        first = np.full(int(self.customer.max(initial=-1)) + 1, -1)
        first[self.customer[::-1]] = np.arange(len(self))[::-1]  # the last one written remains
        return np.sort(first[first >= 0])


def drawn(n: int, *, gain: float = 0.0, seed: int = 0) -> Requests:
    """Requests as chance has it, for examples and tests: one stage, half of them treated.

    Args:
        n: How many.
        gain: What the treatment brings more, a request.
        seed: Of the draw.

    Example:
        >>> drawn(3).expected.tolist()
        [1.0, 1.0, 1.0]
    """
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, max(1, n // 3), n)
    treated = rng.random(max(1, n // 3))[customer] < 0.5
    outcome = rng.choice([3.0, -8.0, -25.0], n, p=[0.9, 0.08, 0.02])
    return Requests(
        customer=customer,
        treated=treated,
        stage=np.zeros(n, dtype=np.int64),
        day=np.sort(rng.uniform(0.0, 10.0, n)),
        expected=np.ones(n),
        realised=outcome + gain * treated,
        handed_over=np.zeros(n, dtype=np.bool_),
        latency_ms=rng.gamma(4.0, 5.0, n),
        earlier=np.full(n, np.nan),
    )
