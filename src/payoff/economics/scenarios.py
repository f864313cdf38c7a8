"""Scenarios: build, buy, leave it to people, leave it, or wait, side by side in the same worlds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from payoff.core.errors import EconomicsError
from payoff.core.findings import Finding, Status
from payoff.core.money import format_money
from payoff.economics.baselines import Baseline
from payoff.economics.case import Case
from payoff.economics.forecast import Forecast
from payoff.economics.forecasts import profit_by_month, profits
from payoff.economics.person import Person
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds


@dataclass(frozen=True, eq=False)
class Scenario:
    """One thing that a founder can do.

    Args:
        name: What it is.
        profit: A month, mean over the horizon; None where it cannot be said.
        reason: Why there is no profit, or what the figure rests on.

    Example:
        >>> import numpy as np
        >>> profit = UncertainMoney(np.array([1.0, 3.0]), "EUR")
        >>> Scenario("wait", profit).as_dict()["profit"]["mean"]
        2.0
    """

    name: str
    profit: UncertainMoney | None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        profit = None if self.profit is None else self.profit.as_dict()
        return {"name": self.name, "profit": profit, "reason": self.reason}


@dataclass(frozen=True, eq=False)
class Scenarios:
    """All scenarios, the one of highest risk-adjusted profit first.

    Args:
        listed: The scenarios; those without a profit last.
        risk_aversion: λ of ``mean − λ · CVaR₅``.

    Example:
        >>> import numpy as np
        >>> one, two = (UncertainMoney(np.array([n, 2 * n]), "EUR") for n in (4.0, 2.0))
        >>> told = Scenarios((Scenario("build", one), Scenario("people", two)))
        >>> told.best.name, told.lead.mean
        ('build', Money(3.0 EUR))
    """

    listed: tuple[Scenario, ...]
    risk_aversion: float = 0.0

    @property
    def best(self) -> Scenario:
        """What is to be done."""
        return self.listed[0]

    @property
    def lead(self) -> UncertainMoney | None:
        """How much more the best brings a month than the next one, world by world."""
        told = [scenario.profit for scenario in self.listed if scenario.profit is not None]
        return told[0] - told[1] if len(told) > 1 else None

    def behind(self, scenario: Scenario) -> UncertainMoney | None:
        """How much less than the best a scenario brings a month, world by world."""
        best = self.best.profit
        return None if scenario.profit is None or best is None else best - scenario.profit

    @property
    def sentence(self) -> str:
        """What to do, in one sentence.

        Example:
            >>> import numpy as np
            >>> one, two = (UncertainMoney(np.array([n, 2 * n]), "EUR") for n in (4.0, 2.0))
            >>> Scenarios((Scenario("people only", one), Scenario("do nothing", two))).sentence
            'Leave all requests to people: that is expected to earn 6.00 EUR a month, 3.00 EUR \
more than “do nothing”.'
        """
        best, lead = self.best.profit, self.lead
        told = _advice(self.best.name)
        if best is None:
            return f"{told}: what it would earn cannot be said."
        told += f": that is expected to earn {_shown(best)} a month"
        if lead is None:
            return f"{told}; nothing else has a known profit."
        other = f"“{self.listed[1].name}”"
        low, high = lead.interval(0.9)
        if float(lead.mean) < 0:
            return f"{told}; {other} {_shown(lead, -1)} more, but at more risk than you would take."
        told += f", {_shown(lead)} more than {other}"
        if float(low) >= 0:
            return f"{told}."
        ends = " to ".join(format_money(float(end), lead.currency) for end in (low, high))
        return f"{told}, which may be chance (5 to 95 %: {ends})."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = []
        for scenario in self.listed:
            row, behind, profit = scenario.as_dict(), self.behind(scenario), scenario.profit
            row["behind_best"] = None if behind is None else behind.as_dict()
            if profit is not None:
                row["probability_of_loss"] = profit.probability_below(0.0)
                row["worst_5_percent"] = float(profit.tail_mean(0.05))
                row["risk_adjusted"] = float(profit.risk_adjusted(self.risk_aversion))
            rows.append(row)
        return {
            "sentence": self.sentence,
            "risk_aversion": self.risk_aversion,
            "scenarios": rows,
        }


def scenarios(
    build: Case,
    baselines: Sequence[Baseline],
    worlds: Worlds,
    *,
    currency: str,
    nothing: float = 0.0,
    wait_months: Sequence[int] = (),
    risk_aversion: float = 0.0,
) -> Scenarios:
    """Building now or later, beside what can be done without building.

    Args:
        build: The plan that would be built.
        baselines: What can be done without it.
        worlds: The worlds; those in which the baselines were forecast.
        currency: Currency of values and costs.
        nothing: Worth of a request that nobody answers.
        wait_months: Delays to look at, each at least 1 and less than the horizon.
        risk_aversion: λ of ``mean − λ · CVaR₅``, by which they are ordered.

    Raises:
        EconomicsError: PF615 where a baseline was forecast in other worlds; PF618 for a delay out
            of range, and as `payoff.economics.forecasts.forecasts` does.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.baselines import do_nothing
        >>> from payoff.economics.costs import PlanCosts
        >>> from payoff.economics.outcome import Outcome
        >>> from payoff.economics.payoff import Payoff
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> model = Case("model", Outcome(np.ones(2), np.zeros(2, bool), np.ones(2)), PlanCosts())
        >>> left = do_nothing(Payoff(1, -1, 0, currency="EUR"), worlds)
        >>> told = scenarios(model, [left], worlds, currency="EUR", wait_months=[3])
        >>> [(one.name, str(one.profit.mean.rounded())) for one in told.listed]
        [('build model', '100.00 EUR'), ('wait 3 months, then build', '75.00 EUR'), \
('do nothing', '0.00 EUR')]
    """
    if any(b.forecast is not None and b.forecast.worlds_key != worlds.key for b in baselines):
        raise EconomicsError("PF615", "scenarios", "a baseline was forecast in other worlds")
    told: Any = {"currency": currency, "nothing": nothing}
    (now,) = profits([build], worlds, **told)
    listed = [Scenario(f"build {build.name}", now)]
    listed += [Scenario(b.name, b.profit, b.reason) for b in baselines]
    valued = [b for b in baselines if b.forecast is not None and b.case is not None]
    if valued:
        meanwhile = max(valued, key=lambda b: _adjusted(b.forecast, risk_aversion)).case
        assert meanwhile is not None
        for months in wait_months:
            later = wait(build, meanwhile, months, worlds, **told)
            plural = "" if months == 1 else "s"
            listed.append(
                Scenario(
                    f"wait {months} month{plural}, then build",
                    later,
                    f"meanwhile: {meanwhile.name}",
                )
            )

    def rank(scenario: Scenario) -> tuple[bool, float]:
        if scenario.profit is None:
            return True, 0.0
        return False, -float(scenario.profit.risk_adjusted(risk_aversion))

    return Scenarios(tuple(sorted(listed, key=rank)), risk_aversion)


def wait(
    build: Case,
    meanwhile: Case,
    months: int,
    worlds: Worlds,
    *,
    currency: str,
    nothing: float = 0.0,
) -> UncertainMoney:
    """Profit a month over the same horizon where the plan starts some months later.

    Until then the other plan runs; what the plan pays once is paid then, and borne by the months
    that are left. Prices, wages and traffic are those of the months in which they fall.

    Args:
        build: The plan that starts later.
        meanwhile: What is done until then.
        months: The delay, at least 1 and less than the horizon.
        worlds: The worlds.
        currency: Currency of values and costs.
        nothing: Worth of a request that nobody answers.

    Raises:
        EconomicsError: PF618 for a delay out of range.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.costs import PlanCosts
        >>> from payoff.economics.outcome import Outcome
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> two, one = (Case("", Outcome(np.full(2, worth), np.zeros(2, bool), np.full(2, worth)),
        ...                  PlanCosts()) for worth in (2.0, 1.0))
        >>> wait(two, one, 3, worlds, currency="EUR").mean.rounded()  # 3 at 100, 9 at 200
        Money(175.00 EUR)
    """
    horizon = worlds.months
    if not 1 <= months < horizon:
        raise EconomicsError(
            "PF618",
            "months of waiting",
            f"{months} of a horizon of {horizon}",
            expected="at least 1 and less than the horizon",
        )
    told: Any = {"currency": currency, "nothing": nothing}
    early = profit_by_month(meanwhile, worlds, **told)[:, :months]
    late = profit_by_month(build, worlds, **told, horizon_months=horizon - months)[:, months:]
    total = early.sum(axis=1) + late.sum(axis=1)
    return UncertainMoney(total / horizon, currency)


def _advice(name: str) -> str:
    """The name of a scenario as an order."""
    if name == "people only":
        return "Leave all requests to people"
    if name.startswith("LLM API"):
        return f"Buy the {name}"
    return f"{name[:1].upper()}{name[1:]}" + (" now" if name.startswith("build ") else "")


def _shown(amount: UncertainMoney, sign: int = 1) -> str:
    return format_money(sign * float(amount.mean), amount.currency)


def _adjusted(told: Forecast | None, risk_aversion: float) -> float:
    assert told is not None
    return float(told.profit.risk_adjusted(risk_aversion))


def checks(told: Forecast, person: Person | None, worlds: Worlds) -> list[Finding]:
    """Look for a payback beyond the horizon, people without capacity, and traffic of nothing.

    Args:
        told: The forecast of the plan.
        person: Who answers what it hands over.
        worlds: Where it was forecast.

    Returns:
        PF654, PF655 and PF656.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.costs import PlanCosts
        >>> from payoff.economics.forecasts import forecasts
        >>> from payoff.economics.outcome import Outcome
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> case = Case("model", Outcome(np.ones(2), np.zeros(2, bool), np.ones(2)), PlanCosts())
        >>> (told,) = forecasts([case], worlds, currency="EUR")
        >>> [(one.code, str(one.status)) for one in checks(told, None, worlds)]
        [('PF654', 'passed'), ('PF655', 'not applicable'), ('PF656', 'passed')]
    """
    return [_payback(told), _capacity(person, told, worlds), _requests(worlds)]


def _payback(told: Forecast) -> Finding:
    title = "The plan pays back within the horizon"
    if told.payback_months is not None:
        after = "1 month" if told.payback_months == 1 else f"{told.payback_months} months"
        return Finding("PF654", title, Status.PASSED, f"after {after}")
    cash = [month.mean for month in told.months]
    currency = told.profit.currency
    spent = "1 month" if len(cash) == 1 else f"{len(cash)} months"
    short = f"after {spent} {format_money(-cash[-1], currency)} are still missing"
    running = cash[-1] - sum(cash[-2:-1])
    longer = "Set [search] horizon_months to the months it will serve, or lower what is paid once."
    if len(cash) == 1:
        detail = f"{short}; a horizon of one month does not tell how many more it takes"
        return Finding("PF654", title, Status.FAILED, detail, longer)
    if running > 0:
        more = math.ceil(-cash[-1] / running)
        detail = f"{short}; at the last month's rate it takes {more} more"
        mend = longer
    else:
        detail = f"{short}, and the last month lost money too"
        mend = "Do not build it on these terms: see the drivers for what would have to change."
    return Finding("PF654", title, Status.FAILED, detail, mend)


def _capacity(person: Person | None, told: Forecast, worlds: Worlds) -> Finding:
    title = "People can take what is handed over"
    if person is None or person.capacity_per_month is None:
        return Finding("PF655", title, Status.NOT_APPLICABLE, "no capacity is stated")
    handed = told.handed_share * float(worlds.mean_requests.mean())
    capacity = person.capacity_per_month
    if handed <= capacity:
        return Finding(
            "PF655", title, Status.PASSED, f"{handed:,.0f} of {capacity:,.0f} requests a month"
        )
    return Finding(
        "PF655",
        title,
        Status.FAILED,
        f"{handed:,.0f} requests a month are handed over, and people can take {capacity:,.0f}: "
        f"{handed - capacity:,.0f} stay unanswered",
        "Raise [person] capacity_per_month, or state in [value] nothing what an unanswered request "
        "costs.",
        n_affected=round(handed - capacity),
    )


def _requests(worlds: Worlds) -> Finding:
    title = "There are requests to answer in every month"
    by_month = worlds.requests.mean(axis=0)
    empty = int((by_month < 1.0).sum())
    if not empty:
        return Finding("PF656", title, Status.PASSED, f"{by_month.min():,.0f} a month or more")
    return Finding(
        "PF656",
        title,
        Status.FAILED,
        f"{empty} of {len(by_month)} months have fewer than one",
        "Check [traffic] per_month and growth_per_month.",
        n_affected=empty,
    )
