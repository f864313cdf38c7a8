"""Drivers: what the profit depends on most (a tornado)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.money import Money
from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts
from payoff.economics.grown_ledger import post_grown
from payoff.economics.grown_usage import GrownUsage
from payoff.economics.ledger import post
from payoff.economics.uncertain_money import ends

if TYPE_CHECKING:
    from payoff.economics.hosting import Usage

Array = NDArray[np.float64]
Effects = NDArray[np.floating[Any]]

_WRONG_SWING: Final = 0.2
_ROW_VALUES: Final = ("right", "wrong", "handed_over", "handed_share")
_ARRAYS: Final = (*_ROW_VALUES, "requests", "minutes_factor", "price_factor")


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
    mix_effects: Effects,
    factor_ends: tuple[Array, Array],
    currency: str,
    nothing: float,
    horizon_months: int,
    usage: Usage | GrownUsage | None = None,
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
        usage: What the conditions' requests use of the hosting, where that is reckoned already.

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
    told: Any = {"nothing": nothing, "horizon_months": horizon_months}
    swing = np.array([1.0 - _WRONG_SWING, 1.0 + _WRONG_SWING])
    at_mean = _usage(mean, costs)  # what varies here leaves the requests as they are
    by_quality, by_mix = _quality_and_mix(conditions, costs, mix_effects, told, at_mean)

    def profit(usage: Usage | GrownUsage | None = at_mean, **varied: Array) -> Array:
        return _monthly(replace(mean, **varied), costs, told, usage)

    found = {
        "traffic": ends(profit(usage, requests=conditions.requests)),
        "quality of the answers": by_quality,
        "mix of labels": by_mix,
        "people's minutes": _span(profit(minutes_factor=factor_ends[0])),
        "cloud prices": _span(profit(price_factor=factor_ends[1])),
        "cost of wrong answers": _span(profit(wrong=mean.wrong * swing)),
    }
    drivers = [
        Driver(
            name,
            Money.of(low, currency),
            Money.of(high, currency),
            "20 % less and more" if name == "cost of wrong answers" else "5 % and 95 %",
        )
        for name, (low, high) in found.items()
        if high > low
    ]
    return tuple(sorted(drivers, key=lambda driver: -float(driver.swing)))


def _quality_and_mix(
    conditions: Conditions,
    costs: PlanCosts,
    mix_effects: Effects,
    told: dict[str, Any],
    at_mean: Usage | GrownUsage | None,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of the profit where only the quality varies, and where only the mix does."""
    mean, person = conditions.mean(), costs.person
    if person is not None and person.capacity_per_month is not None:
        # At most so many are handed over where the mix varies, and where the quality does.
        share = mix_effects[3]
        middle = float(share.mean(dtype=np.float64))
        more, less = float(share.max()) - middle, float(share.min()) - middle
        most = max(mean.handed_share[0] + more, conditions.handed_share.max() - less)
        if most * mean.most_requests > person.capacity_per_month:
            return _beyond_capacity(conditions, costs, mix_effects, told, at_mean)
    # All handoffs are answered: the profit is affine in what a request is worth.
    wage = 0.0 if person is None else person.cost_each * float(mean.minutes_factor[0])
    worth = conditions.right + conditions.wrong + conditions.handed_over
    if wage:
        worth = worth - conditions.handed_share * wage
    by_mix = np.array([1.0, 1.0, 1.0, -wage], mix_effects.dtype) @ mix_effects
    by_quality = worth - by_mix
    profit, requests = float(_monthly(mean, costs, told, at_mean)[0]), mean.mean_requests
    quality, mix = (
        tuple(profit + requests * (end - float(off.mean(dtype=np.float64))) for end in ends(off))
        for off in (by_quality, by_mix)
    )
    return (quality[0], quality[1]), (mix[0], mix[1])


def _beyond_capacity(
    conditions: Conditions,
    costs: PlanCosts,
    mix_effects: Effects,
    told: dict[str, Any],
    at_mean: Usage | GrownUsage | None,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The same where people cannot take all that is handed over; added up in float32.

    What does not hang on them, machines and what is fixed, is that of the mean world.
    """
    mean = conditions.mean()
    answers = PlanCosts(person=costs.person)
    profit = float(_monthly(mean, costs, told, at_mean)[0])
    answered = float(_monthly(mean, answers, told)[0])
    middle = np.array([getattr(mean, name)[0] for name in _ROW_VALUES], dtype=np.float32)
    off = mix_effects - mix_effects.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    values = np.array([getattr(conditions, name) for name in _ROW_VALUES], dtype=np.float32)
    single = replace(mean, **{name: getattr(mean, name).astype(np.float32) for name in _ARRAYS})

    def span(varied: Effects) -> tuple[float, float]:
        met = replace(single, **dict(zip(_ROW_VALUES, varied, strict=True)))
        low, high = ends(_monthly(met, answers, told))
        return low + profit - answered, high + profit - answered

    return span(values - off), span(off + middle[:, None])


def _usage(met: Conditions, costs: PlanCosts) -> Usage | GrownUsage | None:
    """What the conditions' requests use of the hosting; None without one."""
    if costs.hosting is None:
        return None
    if met.growth is None:
        return costs.hosting.use(met.requests)
    return GrownUsage.of(costs.hosting, met.requests[:, 0], met.growth)


def _monthly(
    met: Conditions,
    costs: PlanCosts,
    told: dict[str, Any],
    usage: Usage | GrownUsage | None = None,
) -> Array:
    """Profit of the mean month, whether its months are told apart or grow alike."""
    if met.growth is None:
        assert not isinstance(usage, GrownUsage)
        return post(met, costs, usage=usage, **told).monthly
    assert usage is None or isinstance(usage, GrownUsage)
    return post_grown(met, costs, usage=usage, **told).monthly


def _span(amounts: Array) -> tuple[float, float]:
    return float(amounts.min()), float(amounts.max())
