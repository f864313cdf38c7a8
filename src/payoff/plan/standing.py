"""Standing: how the plans of a finished run compare under some terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from payoff.core.errors import EconomicsError
from payoff.core.findings import Finding
from payoff.economics.baselines import Baseline
from payoff.economics.case import Case
from payoff.economics.costs import PlanCosts
from payoff.economics.forecast import Forecast, forecasts, profits
from payoff.economics.hosting import Hosting
from payoff.economics.outcome import Outcome
from payoff.economics.scenarios import Scenarios, checks, scenarios
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds
from payoff.plan.choice import preferred
from payoff.plan.judging import Judge
from payoff.plan.kept import Kept
from payoff.plan.reckoning import Reckoning
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
        chosen: Name of the model that the validation rows choose.
        forecast: Of that model, from test rows.
        case: What that forecast was made from.
        worlds: Over the test rows.
        baselines: What it is compared with.

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

    @classmethod
    def of(cls, kept: Kept, terms: Terms) -> Standing:
        """Reckon what was measured under these terms.

        Raises:
            EconomicsError: PF616 where no host holds the limits of any model; PF605 or PF607 where
                the LLM API that the terms name has no price; PF612 or PF613 for a wrong mix.
            ProjectError: PF203 where the payoff does not fit the labels.
        """
        reckoning = Reckoning(
            terms,
            kept.labels,
            n_labelled=kept.n_labelled,
            training_counts=kept.training_counts,
            request_bytes=kept.request_bytes,
            characters_per_text=kept.characters_per_text,
        )
        costs, refused = _costs(kept, reckoning)
        hosted = [option for option in kept.options if option.name in costs]
        told: Any = {"currency": terms.currency, "nothing": terms.payoff.nothing}
        judge = Judge(terms.payoff, reckoning.policy(), kept.validation_truth, kept.seed)
        limits: Any = {"floors": terms.floors, "most_handed": terms.most_handed}
        policies = [judge.held(option.validation, **limits).policy for option in hosted]

        def cases(truth: Any, probabilities: list[Any]) -> list[Case]:
            return [
                Case(
                    option.name,
                    Outcome.of_actions(
                        terms.payoff, kept.labels, truth, policy.decide(given).actions
                    ),
                    *costs[option.name],
                )
                for option, given, policy in zip(hosted, probabilities, policies, strict=True)
            ]

        worlds = reckoning.worlds(kept.validation_truth, kept.seed)
        by = profits(cases(kept.validation_truth, [o.validation for o in hosted]), worlds, **told)
        best = preferred(
            by,
            [option.recipe for option in hosted],
            aversion=terms.risk_aversion,
            expected=kept.expected,
        )
        worlds = reckoning.worlds(kept.test_truth, kept.seed)
        reported = cases(kept.test_truth, [option.test for option in hosted])
        models = [
            Contender(
                case.name,
                "model",
                profit,
                chosen_by,
                float(1.0 - case.outcome.handed_over.mean()),
                case.costs.hosting.name if case.costs.hosting else "",
            )
            for case, profit, chosen_by in zip(
                reported, profits(reported, worlds, **told), by, strict=True
            )
        ]
        baselines = reckoning.baselines(worlds, cost_alone=False)
        others = [Contender(b.name, "baseline", b.profit, why_not=b.reason) for b in baselines]
        others += [Contender(name, "model", None, why_not=why) for name, why in refused.items()]
        return cls(
            terms,
            tuple(sorted([*models, *others], key=_rank)),
            hosted[best].name,
            forecasts([reported[best]], worlds, **told)[0],
            reported[best],
            worlds,
            baselines,
        )

    @property
    def best(self) -> Contender:
        """What is to be done: the chosen model, or a baseline that is expected to earn more."""
        chosen = self.contender(self.chosen)
        baselines = [c for c in self.contenders if c.kind == "baseline" and c.profit is not None]
        return max([chosen, *baselines], key=_mean)

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
            (c.chosen_by.mean, c.name, c.profit)
            for c in self.contenders
            if c.chosen_by is not None and c.profit is not None and c.name != self.chosen
        ]
        if not rivals:
            return None
        _, name, profit = max(rivals, key=lambda rival: rival[0])
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


def _costs(
    kept: Kept, reckoning: Reckoning
) -> tuple[dict[str, tuple[PlanCosts, Hosting]], dict[str, str]]:
    """Costs and reference hosting of each option by its name, and why others have none.

    Raises:
        EconomicsError: PF616 where no option has a host.
    """
    costs: dict[str, tuple[PlanCosts, Hosting]] = {}
    refused: dict[str, EconomicsError] = {}
    for option in kept.options:
        try:
            hosting, reference = reckoning.hosting(option.evidence)
        except EconomicsError as error:
            if error.code != "PF616":
                raise
            refused[option.name] = error
        else:
            costs[option.name] = reckoning.costs(hosting, option.training_s), reference
    if not costs:
        raise next(iter(refused.values()))
    return costs, {name: str(error) for name, error in refused.items()}


def _mean(contender: Contender) -> float:
    assert contender.profit is not None
    return float(contender.profit.mean)


def _rank(contender: Contender) -> tuple[bool, float]:
    return (contender.profit is None, 0.0 if contender.profit is None else -_mean(contender))
