"""Forecast: a plan's profit a month, as a distribution, with what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.break_even import break_even_volume
from payoff.economics.costs import CostLine, PlanCosts, Step
from payoff.economics.drivers import Driver, drivers_of
from payoff.economics.ledger import Conditions, post
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.waterfall import (
    MonthCash,
    Reconciliation,
    WaterfallStep,
    cash_by_month,
    payback,
    reconciled,
    waterfall_of,
)
from payoff.economics.worlds import Worlds

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What a plan is expected to earn.

    Args:
        name: The plan.
        profit: Profit a month, mean over the months of the horizon.
        per_request: Profit per request.
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
        >>> from payoff.economics.traffic import Traffic
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
    per_request: UncertainMoney
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


def forecast(
    name: str,
    *,
    gross_values: NDArray[np.floating[Any]],
    handed_over: NDArray[np.bool_],
    costs: PlanCosts,
    worlds: Worlds,
    currency: str,
    right_values: NDArray[np.floating[Any]] | None = None,
    nothing: float = 0.0,
    reference: Hosting | None = None,
) -> Forecast:
    """Forecast a plan's profit.

    In world ``w`` and month ``m`` the profit is ``requests × value − people − hosting − fixed −
    once / months``; the profit a month is its mean over the months.

    Args:
        name: The plan.
        gross_values: Worth of the plan's action on each test row before wages, shape ``(n,)``.
        handed_over: Rows that the plan hands over, shape ``(n,)``.
        costs: What the plan pays; ``costs.person`` is paid for every request handed over.
        worlds: The worlds; the same ones for every plan that is to be compared.
        currency: Currency of values and costs.
        right_values: The part of ``gross_values`` that right answers earn, shape ``(n,)``; None
            where all that is not handed over counts as right.
        nothing: Worth of a request that nobody answers, for handoffs beyond people's capacity.
        reference: The hosting with which the chosen one is compared in the mission's formula;
            None where there is nothing to compare with.

    Raises:
        EconomicsError: PF618 where arrays do not fit the worlds, PF605 where a cost is of another
            currency, PF617 where the hosting has no price.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(1000, 1000, 1000), seed=0)
        >>> told = forecast("plan", gross_values=np.array([2.0, 2.0]), currency="USD",
        ...                 handed_over=np.zeros(2, bool), costs=PlanCosts(), worlds=worlds)
        >>> told.profit.mean.rounded(), told.probability_of_loss, told.payback_months
        (Money(2000.00 USD), 0.0, 1)
    """
    costs.check_currency(currency)
    if reference is not None:
        PlanCosts(hosting=reference).check_currency(currency)
    parts = _parts(gross_values, handed_over, right_values, n_rows=worlds.n_rows)
    conditions = _conditions_of(worlds.mean_values(parts), worlds)
    ledger = post(conditions, costs, nothing=nothing, horizon_months=worlds.months)
    profit = np.broadcast_to(ledger.profit, worlds.requests.shape).mean(axis=1)
    months = cash_by_month(ledger, costs, worlds.months)
    return Forecast(
        name=name,
        profit=UncertainMoney(profit, currency),
        per_request=UncertainMoney(profit / worlds.requests.mean(axis=1), currency),
        probability_of_loss=float(np.mean(profit < 0)),
        months=months,
        break_even_per_month=break_even_volume(
            conditions, costs, nothing=nothing, horizon_months=worlds.months
        ),
        payback_months=payback(months),
        drivers=drivers_of(
            conditions,
            costs,
            currency=currency,
            nothing=nothing,
            mix_effects=worlds.mix @ worlds.class_means(parts).T,
            horizon_months=worlds.months,
        ),
        waterfall=waterfall_of(ledger, currency),
        lines=_lines(conditions, costs, currency=currency),
        reconciliation=reconciled(ledger, conditions, reference, currency=currency),
        handed_share=float(conditions.handed_share.mean()),
        absent_share=worlds.absent_share,
        worlds_key=worlds.key,
    )


def gap(first: Forecast, second: Forecast) -> UncertainMoney:
    """How much more the first plan earns a month than the second, world by world.

    Raises:
        EconomicsError: PF615 where the two were computed in different worlds.

    Example:
        >>> from payoff.economics.traffic import Traffic
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


def _conditions_of(means: Array, worlds: Worlds) -> Conditions:
    """What a plan meets in each world, from the means of its four row values, ``(4, n_worlds)``."""
    right, wrong, handed_over, handed_share = means
    return Conditions(
        right,
        wrong,
        handed_over,
        handed_share,
        worlds.requests,
        worlds.minutes_factor,
        worlds.price_factor,
    )


def _parts(
    gross: NDArray[np.floating[Any]],
    handed_over: NDArray[np.bool_],
    right: NDArray[np.floating[Any]] | None,
    *,
    n_rows: int,
) -> Array:
    """Row values of right answers, wrong answers and handoffs, and the handoffs, ``(4, n)``."""
    arrays = [gross, handed_over] if right is None else [gross, handed_over, right]
    shapes = {np.shape(array) for array in arrays}
    if shapes != {(n_rows,)} or not all(np.isfinite(array).all() for array in arrays):
        raise EconomicsError(
            "PF618",
            "row values",
            f"shapes {sorted(shapes)}, or one is not finite",
            expected=f"({n_rows},) finite amounts",
        )
    values = np.asarray(gross, dtype=np.float64)
    handed = np.asarray(handed_over, dtype=np.float64)
    answered = values * (1.0 - handed)
    earned = answered if right is None else np.asarray(right, dtype=np.float64)
    return np.stack([earned, answered - earned, values * handed, handed])


def _lines(conditions: Conditions, costs: PlanCosts, *, currency: str) -> tuple[CostLine, ...]:
    """The bill: the mean month's hosting and people, and the lines that do not depend on it."""
    lines = [*costs.monthly, *costs.once]
    if costs.hosting is not None:
        lines = [*costs.hosting.lines(conditions.requests), *lines]
    requests = float(conditions.requests.mean())
    if costs.person is not None:
        handoffs = conditions.requests * conditions.handed_share[:, None]
        capacity = costs.person.capacity_per_month
        served = handoffs if capacity is None else np.minimum(handoffs, capacity)
        lines.insert(
            0,
            _line(
                Step.PEOPLE,
                "handed over",
                float(served.mean()),
                Money.of(costs.person.cost_each, currency),
            ),
        )
    if costs.per_request:
        lines.append(
            _line(Step.API, "stated per request", requests, Money.of(costs.per_request, currency))
        )
    return tuple(lines)


def _line(step: Step, what: str, quantity: float, price: Money) -> CostLine:
    return CostLine(
        step, what, quantity, "request", price, as_of=None, source="stated", measured=True
    )
