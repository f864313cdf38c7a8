"""Standing: how the plans of a finished run compare under some terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from payoff.core.findings import Finding
from payoff.core.one_thread import one_thread_each
from payoff.economics.baselines import Baseline
from payoff.economics.case import Case
from payoff.economics.forecast import Forecast
from payoff.economics.forecasts import forecasts, profits
from payoff.economics.scenarios import Scenarios, checks, scenarios
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds
from payoff.plan.choice import foremost, preferred
from payoff.plan.entrants import Entrants
from payoff.plan.kept import Kept
from payoff.plan.terms import Terms

_USUAL_WAIT: Final = (3,)


@dataclass(frozen=True, eq=False)
class Contender:
    """One plan among the others.

    Args:
        name: What people read.
        kind: ``"model"`` or ``"baseline"``.
        profit: A month, from test rows; None where it cannot be said.
        chosen_by: What the choice among models looked at, from validation rows; None for others.
        automated_share: Share of the test rows that it acts on alone; None where not known.
        hosting: Where it runs; empty for a plan without a machine.
        why_not: Why there is no profit.
    """

    name: str
    kind: str
    profit: UncertainMoney | None
    chosen_by: UncertainMoney | None = None
    automated_share: float | None = None
    hosting: str = ""
    why_not: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, under the names of ``summary.json``."""
        return {
            "name": self.name,
            "kind": self.kind,
            "profit_month": None if self.profit is None else plain(self.profit),
            "automated_share": self.automated_share,
            "hosting": self.hosting or None,
            "why_not": self.why_not,
        }


@dataclass(frozen=True, eq=False)
class Standing:
    """All plans of a run under some terms, compared as its search compares them.

    Args:
        terms: The terms.
        contenders: All plans, the highest expected profit first.
        chosen: Name of the model, or cascade of models, that the validation rows choose.
        forecast: Of that plan, from test rows.
        case: What that forecast was made from.
        worlds: Over the test rows.
        baselines: What it is compared with.
        cascade: What is told of the best cascade, as in ``summary.json`` without its frontier.

    Example:
        >>> Standing.of(Kept.read(folder), terms).recommended  # doctest: +SKIP
        'bag-of-words fp32'
    """

    terms: Terms
    contenders: tuple[Contender, ...]
    chosen: str
    forecast: Forecast
    case: Case
    worlds: Worlds
    baselines: tuple[Baseline, ...]
    cascade: Mapping[str, Any]

    @classmethod
    @one_thread_each()
    def of(cls, kept: Kept, terms: Terms, *, cascades: bool = True) -> Standing:
        """Reckon what was measured under these terms.

        Args:
            kept: What was measured.
            terms: The terms.
            cascades: Whether a cascade may be chosen; to look for it takes longer than all else.

        Raises:
            EconomicsError: PF616 where no host holds the limits of any model, PF640 where the rows
                prove the floors of none; PF605 or PF607 where
                the LLM API that the terms name has no price; PF612 or PF613 for a wrong mix.
            ProjectError: PF203 where the payoff does not fit the labels.
        """
        reckoning = kept.reckoning(terms)
        told: Any = {"currency": terms.currency, "nothing": terms.payoff.nothing}
        entrants = Entrants.of(kept, reckoning, cascades=cascades)
        plans = entrants.plans
        worlds = reckoning.worlds(kept.validation_truth, kept.seed)
        by = profits([plan.validated for plan in plans], worlds, **told)
        best = preferred(
            by,
            [plan.recipe for plan in plans],
            aversion=terms.risk_aversion,
            expected=kept.expected,
            surer=entrants.surer,
        )
        worlds = reckoning.worlds(kept.test_truth, kept.seed)
        earned = profits([plan.tested for plan in plans], worlds, **told)
        models = [
            Contender(
                plan.name,
                "model",
                profit,
                chosen_by,
                float(1.0 - plan.tested.outcome.handed_over.mean()),
                plan.tested.costs.hosting.name if plan.tested.costs.hosting else "",
            )
            for plan, profit, chosen_by in zip(plans, earned, by, strict=True)
        ]
        baselines = reckoning.baselines(worlds, kept.test_segments, cost_alone=False)
        others = [Contender(b.name, "baseline", b.profit, why_not=b.reason) for b in baselines]
        others += [
            Contender(name, "model", None, why_not=why) for name, why in entrants.refused.items()
        ]
        reported = plans[best].tested
        return cls(
            terms,
            tuple(sorted([*models, *others], key=_rank)),
            plans[best].name,
            forecasts([reported], worlds, **told)[0],
            reported,
            worlds,
            baselines,
            entrants.section(best, by, earned, aversion=terms.risk_aversion),
        )

    @property
    def best(self) -> Contender:
        """What is to be done: the chosen model, or a baseline that is worth more.

        That is the higher mean, less λ · CVaR where the terms state a risk aversion.
        """
        chosen = (self.contender(self.chosen), self.forecast.profit)
        found = [(c, c.profit) for c in self.contenders if c.kind == "baseline"]
        ranked = [chosen, *((c, profit) for c, profit in found if profit is not None)]
        return ranked[foremost([profit for _, profit in ranked], self.terms.risk_aversion)][0]

    @property
    def best_profit(self) -> UncertainMoney:
        """What that earns a month."""
        profit = self.best.profit
        assert profit is not None
        return profit

    @property
    def prices(self) -> str:
        """Fingerprint of the price book."""
        return self.terms.prices.fingerprint()

    @property
    def recommended(self) -> str:
        """Name of what is to be done."""
        return self.best.name

    @property
    def runner_up(self) -> tuple[str, UncertainMoney] | None:
        """The model that came next in the choice, and how much less it earns, world by world."""
        rivals = [
            (c.chosen_by, c.name, c.profit)
            for c in self.contenders
            if c.chosen_by is not None and c.profit is not None and c.name != self.chosen
        ]
        if not rivals:
            return None
        by = [chosen_by for chosen_by, _, _ in rivals]
        _, name, profit = rivals[foremost(by, self.terms.risk_aversion)]
        return name, self.forecast.profit - profit

    def scenarios(self, wait_months: Sequence[int] | None = None) -> Scenarios:
        """Building the chosen model now or later, beside what can be done without it.

        Args:
            wait_months: Delays to look at; None is 3 months where the horizon is longer.

        Raises:
            EconomicsError: PF618 where a delay is not less than the horizon.
        """
        if wait_months is None:
            wait_months = tuple(n for n in _USUAL_WAIT if n < self.terms.horizon_months)
        return scenarios(
            self.case,
            self.baselines,
            self.worlds,
            currency=self.terms.currency,
            nothing=self.terms.payoff.nothing,
            wait_months=wait_months,
            risk_aversion=self.terms.risk_aversion,
        )

    @property
    def findings(self) -> list[Finding]:
        """Payback, capacity and traffic of the chosen model: PF654, PF655 and PF656."""
        return checks(self.forecast, self.case.costs.person, self.worlds)

    def contender(self, name: str) -> Contender:
        """The plan of that name."""
        return next(c for c in self.contenders if c.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, under the names of ``summary.json`` where it has them."""
        rival = self.runner_up
        told = self.forecast
        return {
            "currency": self.terms.currency,
            "chosen": self.chosen,
            "recommended": self.recommended,
            "profit_month": plain(told.profit),
            "probability_of_loss": told.probability_of_loss,
            "break_even_per_month": told.break_even_per_month,
            "payback_months": told.payback_months,
            "runner_up": rival and {"plan": rival[0], "gap": plain(rival[1])},
            "accounts": told.reconcile().as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
            "cascade": dict(self.cascade),
            "plans": [contender.as_dict() for contender in self.contenders],
        }


def plain(amount: UncertainMoney) -> dict[str, float]:
    """Mean, 5 % and 95 %, as plain numbers.

    Example:
        >>> import numpy as np
        >>> plain(UncertainMoney(np.array([0.0, 10.0]), "EUR"))
        {'mean': 5.0, 'low': 0.5, 'high': 9.5}
    """
    low, high = amount.interval(0.9)
    return {"mean": float(amount.mean), "low": float(low), "high": float(high)}


def _mean(contender: Contender) -> float:
    assert contender.profit is not None
    return float(contender.profit.mean)


def _rank(contender: Contender) -> tuple[bool, float]:
    return (contender.profit is None, 0.0 if contender.profit is None else -_mean(contender))
