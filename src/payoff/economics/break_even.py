"""Break-even: the volume from which a plan stops losing money."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts
from payoff.economics.ledger import post

Array = NDArray[np.float64]

_REACH: Final = 1000.0
_GRID: Final = 512
_FACTORS: Final = np.geomspace(1.0 / _REACH, _REACH, _GRID)
_MOST_STEPS: Final = 20_000
_PARTS: Final = np.linspace(0.0, 1.0, 66)
_CLOSE: Final = 2.0**-46  # of a step of the grid
_NEAR: Final = 2.0 ** -np.arange(8.0, 52.0, 6.0)  # of a step, to both sides of the crossing
_SECTIONS: Final = 8  # equal parts alone: 65^8 is finer than that
_JUST_ABOVE: Final = 1e-9


def break_even_volume(
    conditions: Conditions, costs: PlanCosts, *, nothing: float, horizon_months: int
) -> float | None:
    """Smallest number of requests a month from which the profit is never below 0.

    Costs are stepwise: the profit falls where one more machine is needed and rises up to the next
    step. So the last volume with a loss is looked for, among a grid and both sides of each step,
    and then closed in on: by where a straight line would cross, which is the place unless a cost
    is curved, and by equal parts. What is found holds for all larger volumes, up to a thousand
    times the expected traffic.

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
        met = replace(mean, requests=volumes[:, None], growth=None)
        return post(met, costs, nothing=nothing, horizon_months=horizon_months).monthly

    expected = mean.mean_requests
    volumes = _volumes(expected, costs)
    amounts = profit(volumes)
    losses = np.flatnonzero(amounts < 0)
    if not len(losses):
        return 0.0
    if losses[-1] == len(volumes) - 1:
        return None
    place = losses[-1]
    ends, amounts = volumes[place : place + 2], amounts[place : place + 2]
    close = (ends[1] - ends[0]) * _CLOSE
    for _ in range(_SECTIONS):
        inner = _between(ends, amounts)
        amounts = np.concatenate([amounts[:1], profit(inner[1:-1]), amounts[1:]])
        place = np.flatnonzero(amounts[:-1] < 0)[-1]
        ends, amounts = inner[place : place + 2], amounts[place : place + 2]
        if ends[1] - ends[0] <= close:
            break
    return float(ends[1])


def _between(ends: Array, amounts: Array) -> Array:
    """Volumes from one end to the other, in equal parts and close around a straight crossing."""
    crossing = amounts[0] / (amounts[0] - amounts[1])
    shares = np.concatenate([_PARTS, crossing - _NEAR, crossing + _NEAR, [crossing]])
    inner: Array = ends[0] + (ends[1] - ends[0]) * np.unique(shares.clip(0.0, 1.0))
    inner[-1] = ends[1]
    return inner


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
