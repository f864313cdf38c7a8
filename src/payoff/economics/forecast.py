"""Forecast: a plan's profit a month, as a distribution, with what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.runtime.threads import physical_cores
from payoff.core.errors import EconomicsError
from payoff.core.one_thread import one_thread_each
from payoff.economics.break_even import break_even_volume
from payoff.economics.case import Case
from payoff.economics.costs import CostLine, PlanCosts
from payoff.economics.drivers import Driver, drivers_of
from payoff.economics.ledger import Conditions, Ledger, bill_of, post
from payoff.economics.outcome import Outcome
from payoff.economics.row_kinds import RowKinds
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
    from payoff.economics.hosting import Hosting, Usage

Array = NDArray[np.float64]
T = TypeVar("T")

_WORTH_THREADS: Final = 1_000_000  # worlds of all plans together
_TOGETHER: Final = 8  # plans whose effects of the mix are one matrix product


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
    gross = np.asarray(gross_values, dtype=np.float64)
    right = gross if right_values is None else np.asarray(right_values, dtype=np.float64)
    case = Case(name, Outcome(gross, handed_over, right), costs, reference)
    return forecasts([case], worlds, currency=currency, nothing=nothing)[0]


def forecasts(
    cases: Sequence[Case], worlds: Worlds, *, currency: str, nothing: float = 0.0
) -> list[Forecast]:
    """Forecast several plans in the same worlds, which are drawn once for all of them.

    Args:
        cases: The plans.
        worlds: The worlds.
        currency: Currency of values and costs.
        nothing: Worth of a request that nobody answers, for handoffs beyond people's capacity.

    Raises:
        EconomicsError: As `forecast` does.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(1000, 1000, 1000), seed=0)
        >>> plans = [Case(f"at {worth:g}", Outcome(np.full(2, worth), np.zeros(2, bool),
        ...               np.full(2, worth)), PlanCosts()) for worth in (2.0, 3.0)]
        >>> [str(told.profit.mean.rounded()) for told in forecasts(plans, worlds, currency="USD")]
        ['2,000 USD', '3,000 USD']
    """

    def told(posted: _Posted) -> Forecast:
        return _forecast(posted, worlds, currency=currency, nothing=nothing)

    return _each(cases, worlds, told, currency=currency, nothing=nothing, by_mix=True)


def profits(
    cases: Sequence[Case], worlds: Worlds, *, currency: str, nothing: float = 0.0
) -> list[UncertainMoney]:
    """The profit a month of several plans, as `forecasts` tells it, and nothing else of them.

    Raises:
        EconomicsError: As `forecast` does.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(1000, 1000, 1000), seed=0)
        >>> all_right = Outcome(np.ones(2), np.zeros(2, bool), np.ones(2))
        >>> (profit,) = profits([Case("plan", all_right, PlanCosts())], worlds, currency="USD")
        >>> profit.mean.rounded()
        Money(1000.00 USD)
    """

    def told(posted: _Posted) -> UncertainMoney:
        return _profit(posted.ledger, worlds, currency)

    return _each(cases, worlds, told, currency=currency, nothing=nothing)


def profit_by_month(
    case: Case,
    worlds: Worlds,
    *,
    currency: str,
    nothing: float = 0.0,
    horizon_months: int | None = None,
) -> Array:
    """Profit of each month of the worlds, shape ``(n_worlds, months)``.

    Args:
        case: The plan.
        worlds: The worlds.
        currency: Currency of values and costs.
        nothing: Worth of a request that nobody answers.
        horizon_months: Months that bear what is paid once; those of the worlds where it is None.

    Raises:
        EconomicsError: As `forecast` does.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(10, 10, 10), months=2, n_worlds=1,
        ...                      seed=0)
        >>> all_right = Outcome(np.ones(2), np.zeros(2, bool), np.ones(2))
        >>> profit_by_month(Case("plan", all_right, PlanCosts()), worlds, currency="EUR").round(3)
        array([[10., 10.]])
    """

    def told(posted: _Posted) -> Array:
        return np.broadcast_to(posted.ledger.profit, worlds.requests.shape)

    months = worlds.months if horizon_months is None else horizon_months
    return _each([case], worlds, told, currency=currency, nothing=nothing, horizon_months=months)[0]


@dataclass(frozen=True, eq=False)
class _Posted:
    """A plan with its ledger, and the means of its row values where only the mix varies."""

    case: Case
    conditions: Conditions
    usage: Usage | None
    ledger: Ledger
    mix_effects: NDArray[np.float32] | None


@one_thread_each()
def _each(
    cases: Sequence[Case],
    worlds: Worlds,
    told: Callable[[_Posted], T],
    *,
    currency: str,
    nothing: float,
    horizon_months: int | None = None,
    by_mix: bool = False,
) -> list[T]:
    """What is told of each plan once it is posted; on all cores for many worlds.

    A ledger lives only while it is told of, since hundreds of them would not fit in memory.
    """
    for case in cases:
        case.check_currency(currency)
    kinds = RowKinds.of([case.row_values(worlds.n_rows) for case in cases])
    weighed = worlds.mean_values(kinds.rows)
    months = worlds.months if horizon_months is None else horizon_months

    def posted(number: int, effects: NDArray[np.float32] | None) -> _Posted:
        costs = cases[number].costs
        conditions = _conditions_of(kinds.means(number, weighed), worlds)
        usage = None if costs.hosting is None else costs.hosting.use(conditions.requests)
        ledger = post(conditions, costs, nothing=nothing, horizon_months=months, usage=usage)
        return _Posted(cases[number], conditions, usage, ledger, effects)

    def some(start: int) -> list[T]:
        numbers = range(start, min(start + _TOGETHER, len(cases)))
        if not by_mix:
            return [told(posted(number, None)) for number in numbers]
        mine = kinds.take(numbers)
        mixed = worlds.mix_effects(mine.rows)
        effects = (mine.means(place, mixed, np.float32) for place in range(len(numbers)))
        return [told(posted(number, one)) for number, one in zip(numbers, effects, strict=True)]

    starts, cores = range(0, len(cases), _TOGETHER), physical_cores()
    if cores == 1 or len(cases) * worlds.n_worlds < _WORTH_THREADS:
        return [one for start in starts for one in some(start)]
    with ThreadPoolExecutor(cores) as pool:
        return [one for found in pool.map(some, starts) for one in found]


def _forecast(posted: _Posted, worlds: Worlds, *, currency: str, nothing: float) -> Forecast:
    case, conditions, ledger = posted.case, posted.conditions, posted.ledger
    costs, effects = case.costs, posted.mix_effects
    assert effects is not None
    profit = _profit(ledger, worlds, currency)
    months = cash_by_month(ledger, costs, worlds.months)
    return Forecast(
        name=case.name,
        profit=profit,
        mean_requests=worlds.mean_requests,
        probability_of_loss=profit.probability_below(0.0),
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
            mix_effects=effects,
            factor_ends=worlds.factor_ends,
            horizon_months=worlds.months,
            usage=posted.usage,
        ),
        waterfall=waterfall_of(ledger, currency),
        lines=bill_of(ledger, costs, currency, posted.usage),
        reconciliation=reconciled(ledger, conditions, case.reference, currency=currency),
        handed_share=float(conditions.handed_share.mean()),
        absent_share=worlds.absent_share,
        worlds_key=worlds.key,
    )


def _profit(ledger: Ledger, worlds: Worlds, currency: str) -> UncertainMoney:
    """The mean over the months, in each world."""
    profit = np.broadcast_to(ledger.monthly, (worlds.n_worlds,))
    return UncertainMoney(np.ascontiguousarray(profit), currency)


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
        worlds.posted_requests,
        worlds.minutes_factor,
        worlds.price_factor,
    )
