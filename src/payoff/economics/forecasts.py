"""Forecasts: plans valued in the same worlds, one or hundreds of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.runtime.threads import physical_cores
from payoff.core.one_thread import one_thread_each
from payoff.economics.bill import bill_of
from payoff.economics.break_even import break_even_volume
from payoff.economics.case import Case
from payoff.economics.conditions import Conditions
from payoff.economics.costs import PlanCosts
from payoff.economics.drivers import drivers_of
from payoff.economics.forecast import Forecast
from payoff.economics.grown_ledger import post_grown
from payoff.economics.ledger import Books, post
from payoff.economics.outcome import Outcome
from payoff.economics.row_kinds import RowKinds
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.waterfall import cash_by_month, payback, reconciled, waterfall_of
from payoff.economics.worlds import Worlds

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting

Array = NDArray[np.float64]
T = TypeVar("T")

_WORTH_THREADS: Final = 1_000_000  # worlds of all plans together
_TOGETHER: Final = 8  # plans whose effects of the mix are one matrix product


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

    return _each(cases, worlds, told, currency=currency, by_mix=True)


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
        return _profit(posted, posted.books(nothing, worlds.months), worlds, currency)

    return _each(cases, worlds, told, currency=currency)


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
        conditions, costs = posted.conditions.by_month(), posted.case.costs
        ledger = post(conditions, costs, nothing=nothing, horizon_months=months)
        flow = np.broadcast_to(ledger.profit, worlds.requests.shape)
        return posted.setting.put_back(flow)

    months = worlds.months if horizon_months is None else horizon_months
    return _each([case], worlds, told, currency=currency)[0]


@dataclass(frozen=True, eq=False)
class _Setting:
    """Traffic and factors of the worlds; in the order of their requests where months grow alike."""

    requests: Array
    minutes_factor: Array
    price_factor: Array
    growth: Array | None = None
    order: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, worlds: Worlds) -> _Setting:
        minutes, prices, growth = worlds.minutes_factor, worlds.price_factor, worlds.growth
        if growth is None:
            return cls(worlds.posted_requests, minutes, prices)
        order = worlds.by_traffic
        return cls(worlds.requests[order, :1], minutes[order], prices[order], growth, order)

    def sort(self, by_world: NDArray[np.float32]) -> NDArray[np.float32]:
        """Columns in the order of the worlds here, written over what was given."""
        if self.order is not None:
            for row in by_world:
                row[:] = row[self.order]
        return by_world

    def put_back(self, by_world: Array) -> Array:
        """Rows in the order in which the worlds were drawn."""
        if self.order is None:
            return by_world
        drawn = np.empty_like(by_world)
        drawn[self.order] = by_world
        return drawn

    def conditions(self, means: Array) -> Conditions:
        """What a plan meets, from the means of its four row values, ``(4, n_worlds)``."""
        right, wrong, handed_over, handed_share = means
        return Conditions(
            right,
            wrong,
            handed_over,
            handed_share,
            self.requests,
            self.minutes_factor,
            self.price_factor,
            self.growth,
        )


@dataclass(frozen=True, eq=False)
class _Posted:
    """A plan with what it meets, and the means of its row values where only the mix varies."""

    case: Case
    setting: _Setting
    conditions: Conditions
    mix_effects: NDArray[np.float32] | None

    def books(self, nothing: float, months: int, *, by_month: bool = False) -> Books:
        """Its ledger."""
        met, costs = self.conditions, self.case.costs
        if met.growth is None:
            return post(met, costs, nothing=nothing, horizon_months=months)
        return post_grown(met, costs, nothing=nothing, horizon_months=months, by_month=by_month)


@one_thread_each()
def _each(
    cases: Sequence[Case],
    worlds: Worlds,
    told: Callable[[_Posted], T],
    *,
    currency: str,
    by_mix: bool = False,
) -> list[T]:
    """What is told of each plan once its rows are weighed; on all cores for many worlds.

    A ledger lives only while it is told of, since hundreds of them would not fit in memory.
    """
    for case in cases:
        case.check_currency(currency)
    kinds = RowKinds.of([case.row_values(worlds.n_rows) for case in cases])
    setting = _Setting.of(worlds)
    weighed = setting.sort(worlds.mean_values(kinds.rows))

    def posted(number: int, effects: NDArray[np.float32] | None) -> _Posted:
        conditions = setting.conditions(kinds.means(number, weighed))
        return _Posted(cases[number], setting, conditions, effects)

    def some(start: int) -> list[T]:
        numbers = range(start, min(start + _TOGETHER, len(cases)))
        if not by_mix:
            return [told(posted(number, None)) for number in numbers]
        mine = kinds.take(numbers)
        mixed = setting.sort(worlds.mix_effects(mine.rows))
        effects = (mine.means(place, mixed, np.float32) for place in range(len(numbers)))
        return [told(posted(number, one)) for number, one in zip(numbers, effects, strict=True)]

    starts, cores = range(0, len(cases), _TOGETHER), physical_cores()
    if cores == 1 or len(cases) * worlds.n_worlds < _WORTH_THREADS:
        return [one for start in starts for one in some(start)]
    with ThreadPoolExecutor(cores) as pool:
        return [one for found in pool.map(some, starts) for one in found]


def _forecast(posted: _Posted, worlds: Worlds, *, currency: str, nothing: float) -> Forecast:
    case, conditions, effects = posted.case, posted.conditions, posted.mix_effects
    costs, horizon = case.costs, worlds.months
    assert effects is not None
    books = posted.books(nothing, horizon, by_month=True)
    profit = _profit(posted, books, worlds, currency)
    months = cash_by_month(books, costs, horizon)
    return Forecast(
        name=case.name,
        profit=profit,
        mean_requests=worlds.mean_requests,
        probability_of_loss=profit.probability_below(0.0),
        months=months,
        break_even_per_month=break_even_volume(
            conditions, costs, nothing=nothing, horizon_months=horizon
        ),
        payback_months=payback(months),
        drivers=drivers_of(
            conditions,
            costs,
            currency=currency,
            nothing=nothing,
            mix_effects=effects,
            factor_ends=worlds.factor_ends,
            horizon_months=horizon,
            usage=books.usage,
        ),
        waterfall=waterfall_of(books, currency),
        lines=bill_of(books, costs, currency),
        reconciliation=reconciled(books, case.reference, currency=currency),
        handed_share=float(conditions.handed_share.mean()),
        absent_share=worlds.absent_share,
        worlds_key=worlds.key,
    )


def _profit(posted: _Posted, books: Books, worlds: Worlds, currency: str) -> UncertainMoney:
    """The mean over the months, in each world."""
    profit = np.broadcast_to(books.monthly, (worlds.n_worlds,))
    return UncertainMoney(posted.setting.put_back(np.ascontiguousarray(profit)), currency)
