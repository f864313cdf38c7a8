"""Forecast: a plan's profit a month, as a distribution, with what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.costs import CostLine
from payoff.economics.drivers import Driver
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.waterfall import MonthCash, Reconciliation, WaterfallStep

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What a plan is expected to earn.

    Args:
        name: The plan.
        profit: Profit a month, mean over the months of the horizon.
        mean_requests: Requests of the mean month in each world, shape ``(n_worlds,)``.
        probability_of_loss: Share of the worlds with a profit below 0.
        months: Cumulative cash at the end of each month; single payments when they are made.
        break_even_per_month: Smallest number of requests a month from which on the mean world
            has no loss; None where there is none up to a thousand times the expected traffic.
        payback_months: Months after which the mean cumulative cash stays at or above 0; None
            where it does not within the horizon.
        drivers: What the profit depends on most, the most important first.
        waterfall: Mean amounts a month from what is earned to the profit.
        lines: The bill of the mean month, and what is paid once.
        reconciliation: The two readings of the mission's formula.
        handed_share: Mean share of requests that are handed over.
        absent_share: Share of the expected mix whose labels no test row has.
        worlds_key: Which worlds it was computed in.

    Example:
        >>> from payoff.economics.costs import PlanCosts
        >>> from payoff.economics.forecasts import forecast
        >>> from payoff.economics.traffic import Traffic
        >>> from payoff.economics.worlds import Worlds
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> told = forecast("plan", gross_values=np.ones(2), handed_over=np.zeros(2, bool),
        ...                 costs=PlanCosts(), worlds=worlds, currency="EUR")
        >>> [(step.name, str(step.amount)) for step in told.waterfall]
        [('right answers', '100.00 EUR'), ('wrong answers', '0.00 EUR'), ('profit', '100.00 EUR')]
        >>> told.reconcile().holds
        True
    """

    name: str
    profit: UncertainMoney
    mean_requests: Array
    probability_of_loss: float
    months: tuple[MonthCash, ...]
    break_even_per_month: float | None
    payback_months: int | None
    drivers: tuple[Driver, ...]
    waterfall: tuple[WaterfallStep, ...]
    lines: tuple[CostLine, ...]
    reconciliation: Reconciliation
    handed_share: float
    absent_share: float
    worlds_key: str

    @property
    def per_request(self) -> UncertainMoney:
        """Profit per request."""
        return UncertainMoney(self.profit.samples / self.mean_requests, self.profit.currency)

    def reconcile(self) -> Reconciliation:
        """The mission's formula, read both ways.

        Raises:
            EconomicsError: PF619 where the two readings differ by half a cent or more.
        """
        if not self.reconciliation.holds:
            raise EconomicsError(
                "PF619", self.name, f"the readings differ by {self.reconciliation.difference}"
            )
        return self.reconciliation

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; distributions as their mean and quantiles."""
        return {
            "name": self.name,
            "profit": self.profit.as_dict(),
            "per_request": self.per_request.as_dict(),
            "probability_of_loss": self.probability_of_loss,
            "months": [month.as_dict() for month in self.months],
            "break_even_per_month": self.break_even_per_month,
            "payback_months": self.payback_months,
            "drivers": [driver.as_dict() for driver in self.drivers],
            "waterfall": [step.as_dict() for step in self.waterfall],
            "lines": [line.as_dict() for line in self.lines],
            "reconciliation": self.reconciliation.as_dict(),
            "handed_share": self.handed_share,
            "absent_share": self.absent_share,
            "worlds_key": self.worlds_key,
        }


def gap(first: Forecast, second: Forecast) -> UncertainMoney:
    """How much more the first plan earns a month than the second, world by world.

    Raises:
        EconomicsError: PF615 where the two were computed in different worlds.

    Example:
        >>> from payoff.economics.costs import PlanCosts
        >>> from payoff.economics.forecasts import forecast
        >>> from payoff.economics.traffic import Traffic
        >>> from payoff.economics.worlds import Worlds
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 80, 150), seed=0)
        >>> plans = [forecast("plan", gross_values=np.full(2, worth), currency="EUR",
        ...                   handed_over=np.zeros(2, bool), costs=PlanCosts(), worlds=worlds)
        ...          for worth in (3.0, 2.0)]
        >>> gap(*plans).probability_below(0)
        0.0
    """
    if first.worlds_key != second.worlds_key:
        raise EconomicsError(
            "PF615",
            f"{first.name} against {second.name}",
            "they were forecast in other worlds",
            mend="Draw the worlds once and use them for both.",
        )
    return first.profit - second.profit
