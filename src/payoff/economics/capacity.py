"""Capacity: the price of a person's time at which no more is handed over than people can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, eq=False)
class WithinCapacity:
    """A policy that hands over as much as people can take, and not more.

    Args:
        policy: With the price among its penalties; as it was where that is 0.
        price: Shadow price of a handoff: what one more would be worth, money per request.
        handed_share: Expected share of the requests that it hands over; above what people can take
            where it is worth more to leave requests unanswered than to act on them.
        handed_share_before: The same without the price.
    """

    policy: Policy
    price: float
    handed_share: float
    handed_share_before: float


def within_capacity(
    policy: Policy,
    probabilities: NDArray[np.floating[Any]],
    at_most: float,
    segments: Segments | None = None,
    *,
    unanswered: float | None = None,
) -> WithinCapacity:
    """Hand over the requests for which a person is worth most, up to a share of all.

    A handoff gets a price ``μ`` (the multiplier of the capacity, Everett 1963, "Generalized
    Lagrange multiplier method", Operations Research 11(3)), and is taken where its worth exceeds
    that of the best label by more than ``μ``. All handoffs need the same, one place, so that the
    smallest sufficient ``μ`` is one of those differences: it is found by sorting them.

    Where the policy expects another mix of labels than that of the training data, each request
    counts ``Σ_i p(i|x) · π'_i/π_i``, as often as the like of it will come. Labels are not needed.

    A request that is handed over and that nobody can take stays unanswered. Where that is stated to
    be worth ``unanswered``, no request is acted on that is worth less: ``μ`` is at most what a
    person's answer is worth above none, ``M[i, handoff] − unanswered``, label by label.

    Args:
        policy: The policy without a limit.
        probabilities: Calibrated, of requests as they come, shape ``(n, k)``.
        at_most: Share of the requests that people can take, from 0; 1 and more is no limit.
        segments: Segment of each request, shape ``(n,)``; None where none is known.
        unanswered: Worth of a request that nobody answers; None where the limit holds whatever
            acting is worth. No bound for labels of which a person's answer is worth less.

    Raises:
        EconomicsError: PF641 where the share is negative or no number, or there is no request;
            PF611 as `Policy.decide` does.

    Example:
        >>> values = np.array([[1.0, -9.0, 0.0], [-9.0, 1.0, 0.0]])
        >>> p = np.array([[0.5, 0.5], [0.7, 0.3], [0.99, 0.01]])
        >>> held = within_capacity(Policy(("a", "b"), values), p, 1 / 3)
        >>> held.price, held.policy.decide(p).actions  # 0.7 · 1 − 0.3 · 9: 2 less than a handoff
        (2.0, array([2, 0, 0]))
        >>> held = within_capacity(Policy(("a", "b"), values), p, 1 / 3, unanswered=-1.0)
        >>> held.policy.decide(p).actions, round(held.handed_share, 2)  # −2 for "a" is below −1
        (array([2, 2, 0]), 0.67)
    """
    if not at_most >= 0 or len(probabilities) == 0:
        raise EconomicsError(
            "PF641",
            "capacity",
            f"a share of {at_most:g} of {len(probabilities)} requests",
            expected="0 or more, and at least one request",
        )
    weights = _weights(policy, probabilities)
    before = _handed(policy, probabilities, weights, segments)
    if before <= at_most * _ROUNDING:
        return WithinCapacity(policy, 0.0, before, before)
    scores = policy.scores(probabilities, segments)
    gains = scores[:, -1] - scores[:, :-1].max(axis=1)  # of handing over, shadow prices counted
    order = np.argsort(-gains, kind="stable")
    taken = np.cumsum(weights[order]) <= at_most * _ROUNDING
    price = max(0.0, float(gains[order[np.argmin(taken)]]))
    penalties = np.zeros_like(policy.values)
    penalties[:, -1] = price
    if unanswered is not None:
        above = policy.values[:, -1] - unanswered
        penalties[:, -1] = np.where(above > 0, np.minimum(price, above), price)
    priced = policy.penalised(penalties)
    handed = _handed(priced, probabilities, weights, segments)
    return WithinCapacity(priced, price, handed, before)


def _weights(policy: Policy, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Share that each request stands for, ``(n,)``, summing to 1."""
    if policy.prior_shift is None:
        return np.full(len(probabilities), 1.0 / len(probabilities))
    weights = np.asarray(probabilities, dtype=np.float64) @ policy.prior_shift
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _handed(
    policy: Policy,
    probabilities: NDArray[np.floating[Any]],
    weights: NDArray[np.float64],
    segments: Segments | None,
) -> float:
    actions = policy.decide(probabilities, segments).actions
    return float(weights[actions == len(policy.labels)].sum())
