"""Conditions: what a plan meets in each world and month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a plan meets: per-request worth by kind of answer, traffic, and factors.

    The first axis is the worlds', also where it has length 1; then the value holds in all of them.

    Args:
        right: Money per request that right answers earn, shape ``(w,)``.
        wrong: Money per request that wrong answers earn, shape ``(w,)``.
        handed_over: Money per request that handing over earns before wages, shape ``(w,)``.
        handed_share: Share of the requests that are handed over, shape ``(w,)``.
        requests: Requests, shape ``(w, months)``; with ``growth`` those of the first month, shape
            ``(w, 1)``.
        minutes_factor: What people's minutes are multiplied by, shape ``(w,)``.
        price_factor: What cloud prices are multiplied by, shape ``(w,)``.
        growth: Where months grow alike in all worlds, requests of each over those of the first,
            shape ``(months,)``; the worlds then stand in the order of their requests.

    Example:
        >>> one = np.ones(1)
        >>> Conditions(one, one, one, one, np.ones((1, 3)), one, one).mean().requests.shape
        (1, 3)
    """

    right: Array
    wrong: Array
    handed_over: Array
    handed_share: Array
    requests: Array
    minutes_factor: Array
    price_factor: Array
    growth: Array | None = None

    def mean(self) -> Conditions:
        """The mean world."""
        return self._mean

    @cached_property
    def _mean(self) -> Conditions:
        def mean(array: Array) -> Array:
            told: Array = array.mean(axis=0, keepdims=True)
            return told

        return Conditions(
            mean(self.right),
            mean(self.wrong),
            mean(self.handed_over),
            mean(self.handed_share),
            mean(self.requests),
            mean(self.minutes_factor),
            mean(self.price_factor),
            self.growth,
        )

    @property
    def mean_requests(self) -> float:
        """Requests of the mean month of the mean world.

        Example:
            >>> one = np.ones(1)
            >>> grown = Conditions(one, one, one, one, 10 * np.ones((1, 1)), one, one,
            ...                    growth=np.array([1.0, 1.5, 2.0]))
            >>> grown.mean_requests, grown.by_month().requests
            (15.0, array([[10., 15., 20.]]))
        """
        mean = float(self.requests.mean())
        return mean if self.growth is None else mean * float(self.growth.mean())

    @property
    def most_requests(self) -> float:
        """Requests of the busiest month of all worlds."""
        most = float(self.requests.max())
        return most if self.growth is None else most * float(self.growth.max())

    def by_month(self) -> Conditions:
        """The same with every month's requests told apart, ``(w, months)``."""
        if self.growth is None:
            return self
        return replace(self, requests=self.requests * self.growth, growth=None)
