"""Drivers: what the profit depends on most (a tornado)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.costs import PlanCosts
from payoff.economics.ledger import Conditions, post
from payoff.economics.uncertain_money import ends

Array = NDArray[np.float64]

_WRONG_SWING: Final = 0.2


@dataclass(frozen=True, slots=True)
class Driver:
    """One input, and the profit a month at its bad and good end with all others at their mean.

    Args:
        name: The input.
        low: 5 % quantile of the profit where this input alone varies.
        high: 95 % quantile.
        how: How it was varied.

    Example:
        >>> low, high = Money.of(80, "USD"), Money.of(120, "USD")
        >>> Driver("traffic", low, high, "5 % and 95 %").swing
        Money(40 USD)
    """

    name: str
    low: Money
    high: Money
    how: str

    @property
    def swing(self) -> Money:
        """``high − low``: how much of the profit hangs on this input."""
        return self.high - self.low

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "low": float(self.low),
            "high": float(self.high),
            "currency": self.low.currency,
            "how": self.how,
        }


def drivers_of(
    conditions: Conditions,
    costs: PlanCosts,
    *,
    mix_effects: Array,
    factor_ends: tuple[Array, Array],
    currency: str,
    nothing: float,
    horizon_months: int,
) -> tuple[Driver, ...]:
    """Vary one input at a time.

    The row values' mean in a world is ``Σ_i mix_i · m_i`` with ``m_i`` the bootstrapped mean of
    class ``i``. Its part that is due to the mix is ``Σ_i mix_i · m̄_i``; the rest, centred, is due
    to quality. What neither holds is the product of both deviations, which is of second order.

    Args:
        conditions: What the plan meets in each world.
        costs: What the plan pays.
        mix_effects: ``Σ_i mix_i · m̄_i`` of the four row values, shape ``(4, n_worlds)``.
        factor_ends: 5 % and 95 % of the factors of minutes and of prices. The profit is affine in
            either, so that its own quantiles lie there.
        currency: Currency of the amounts.
        nothing: Worth of a request that nobody answers.
        horizon_months: Months over which single payments are spread.

    Returns:
        Drivers, the largest swing first; inputs that change nothing are left out.

    Example:
        >>> one, no = np.ones(2), np.zeros(2)
        >>> met = Conditions(one, no, no, no, np.array([[90.0], [110.0]]), one, one)
        >>> effects = np.tile([[1.0], [0], [0], [0]], (1, 2))
        >>> found = drivers_of(met, PlanCosts(), mix_effects=effects, factor_ends=(one, one),
        ...                    currency="EUR", nothing=0.0, horizon_months=1)
        >>> [(driver.name, str(driver.low), str(driver.high)) for driver in found]
        [('traffic', '91.00 EUR', '109.00 EUR')]
    """
    mean = conditions.mean()
    names = ("right", "wrong", "handed_over", "handed_share")
    by_mix, by_quality = {}, {}
    for column, name in enumerate(names):
        effect = mix_effects[column]
        centre = effect.mean()
        by_mix[name] = getattr(mean, name) + effect - centre
        by_quality[name] = getattr(conditions, name) - effect + centre
    swing = np.array([1.0 - _WRONG_SWING, 1.0 + _WRONG_SWING])
    varied = {
        "traffic": replace(mean, requests=conditions.requests),
        "quality of the answers": replace(mean, **by_quality),
        "mix of labels": replace(mean, **by_mix),
        "people's minutes": replace(mean, minutes_factor=factor_ends[0]),
        "cloud prices": replace(mean, price_factor=factor_ends[1]),
        "cost of wrong answers": replace(mean, wrong=mean.wrong * swing),
    }
    found = []
    for name, case in varied.items():
        ledger = post(case, costs, nothing=nothing, horizon_months=horizon_months)
        profit = ledger.profit.mean(axis=1)
        varies = name in ("traffic", "quality of the answers", "mix of labels")
        found_ends = ends(profit) if varies else (profit.min(), profit.max())
        low, high = (Money.of(float(end), currency) for end in found_ends)
        how = "20 % less and more" if name == "cost of wrong answers" else "5 % and 95 %"
        if high > low:
            found.append(Driver(name, low, high, how))
    return tuple(sorted(found, key=lambda driver: -float(driver.swing)))
