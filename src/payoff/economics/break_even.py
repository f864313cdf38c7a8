"""Break-even: the volume from which a plan stops losing money."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.economics.costs import PlanCosts
from payoff.economics.ledger import Conditions, post

Array = NDArray[np.float64]

_REACH: Final = 1000.0
_GRID: Final = 512
_FACTORS: Final = np.geomspace(1.0 / _REACH, _REACH, _GRID)
_MOST_STEPS: Final = 20_000
_POINTS: Final = 258  # 257 parts: six times is finer than 2^-48 of a step of the grid
_SECTIONS: Final = 6
_JUST_ABOVE: Final = 1e-9


def break_even_volume(
    conditions: Conditions, costs: PlanCosts, *, nothing: float, horizon_months: int
) -> float | None:
    """Smallest number of requests a month from which the profit is never below 0.

    Costs are stepwise: the profit falls where one more machine is needed and rises up to the next
    step. So the last volume with a loss is looked for, among a grid and both sides of each step,
    and then closed in on; what is found holds for all larger volumes, up to a thousand times the
    expected traffic.

    Args:
        conditions: What the plan meets; its mean world is used.
        costs: What the plan pays.
        nothing: Worth of a request that nobody answers.
        horizon_months: Months over which single payments are spread.

    Returns:
        Requests a month, 0 where there is never a loss, None where the largest volume has one.

    Example:
        >>> from payoff.core.money import Money
        >>> from payoff.economics.costs import CostLine, Step
        >>> rent = CostLine(Step.INFERENCE, "rent", 1, "month", Money.of(50, "EUR"), as_of=None,
        ...                 source="stated", measured=True)
        >>> one, no = np.ones(1), np.zeros(1)
        >>> met = Conditions(0.5 * one, no, no, no, np.full((1, 12), 1000.0), one, one)
        >>> plan = PlanCosts(monthly=(rent,))
        >>> round(break_even_volume(met, plan, nothing=0.0, horizon_months=12), 6)
        100.0
    """
    mean = conditions.mean()

    def profit(volumes: Array) -> Array:
        met = replace(mean, requests=volumes[:, None])
        return post(met, costs, nothing=nothing, horizon_months=horizon_months).monthly

    expected = float(mean.requests.mean())
    volumes = _volumes(expected, costs)
    losses = np.flatnonzero(profit(volumes) < 0)
    if not len(losses):
        return 0.0
    if losses[-1] == len(volumes) - 1:
        return None
    low, high = volumes[losses[-1]], volumes[losses[-1] + 1]
    for _ in range(_SECTIONS):
        inner = np.linspace(low, high, _POINTS)
        last = np.flatnonzero(np.append(True, profit(inner[1:-1]) < 0))[-1]
        low, high = inner[last], inner[last + 1]
    return float(high)


def _volumes(expected: float, costs: PlanCosts) -> Array:
    """Volumes at which the profit is looked at: 0, a grid, and both sides of each jump of cost."""
    most = expected * _REACH
    volumes = [np.zeros(1), expected * _FACTORS]
    jumps = np.empty(0) if costs.hosting is None else costs.hosting.steps(most)
    if costs.person is not None and costs.person.capacity_per_month:
        jumps = np.append(jumps, costs.person.capacity_per_month)
    jumps = jumps[:_MOST_STEPS]
    volumes += [jumps, jumps * (1.0 + _JUST_ABOVE)]
    return np.unique(np.concatenate(volumes))
