"""The section on the cascade, of a summary and of a what-if: what it is, and whether it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.core.money import format_money
from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.uncertain_money import UncertainMoney
from payoff.plan.cascades.cascade_of import CascadePlan
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.choice import foremost

if TYPE_CHECKING:
    from payoff.plan.comparison import Comparison


def cascade_section(comparison: Comparison, aversion: float = 0.0) -> dict[str, Any]:
    """What a summary tells of the best cascade, with its frontier.

    Args:
        comparison: What was found.
        aversion: λ, by which the best single model is told.
    """
    reported = comparison.cascade
    if reported is None or comparison.answered is None:
        return no_cascade(comparison.no_cascade)
    cascade = reported.option
    assert isinstance(cascade, CascadeOption)
    chosen = comparison.chosen.option
    rival = chosen
    if chosen is cascade:
        models = comparison.models
        rival = models[foremost([model.forecast.profit for model in models], aversion)]
    told = told_of(
        cascade.plan,
        comparison.answered,
        profit=reported.forecast.profit,
        validated=cascade.forecast.profit,
        rival=(rival.name, rival.forecast.profit),
        chosen=chosen is cascade,
    )
    points = cascade.plan.points()
    for point in points:
        alone = point["tiers"] == [chosen.name]
        point["chosen"] = point["chosen"] if chosen is cascade else alone
    return told | {"points": points}


def told_of(
    plan: CascadePlan,
    answered: Answered,
    *,
    profit: UncertainMoney,
    validated: UncertainMoney,
    rival: tuple[str, UncertainMoney],
    chosen: bool,
) -> dict[str, Any]:
    """What is told of a cascade, as plain values.

    Args:
        plan: The cascade.
        answered: What its models do with the test rows.
        profit: A month, from test rows.
        validated: A month, from validation rows.
        rival: The best single model and what it earns a month, from validation rows.
        chosen: Whether the cascade is what the validation rows chose.
    """
    name, other = rival
    return {
        "name": plan.name,
        "currency": profit.currency,
        "chosen": chosen,
        "sentence": _sentence(plan.name, validated, name, other, chosen=chosen),
        "tiers": plan.tiers_as_dict(answered),
        "cost_each": float(np.mean(answered.costs)),
        "profit_month": _plain(profit),
        "validated": {
            "rows": "validation",
            "profit_month": _plain(validated),
            "rival": name,
            "rival_profit_month": _plain(other),
        },
        "left_out": dict(plan.left_out),
    }


def no_cascade(why: str) -> dict[str, Any]:
    """What is told where there is none.

    Example:
        >>> no_cascade("1 model was measured")["sentence"]
        'No cascade was made: 1 model was measured.'
    """
    return {"chosen": False, "sentence": f"No cascade was made: {why.rstrip('.')}."}


def _sentence(
    name: str, validated: UncertainMoney, rival: str, other: UncertainMoney, *, chosen: bool
) -> str:
    own, alone, lead = (
        format_money(float(amount.mean), amount.currency)
        for amount in (validated, other, validated - other)
    )
    ahead = float(validated.mean) > float(other.mean)
    if chosen and ahead:
        return (
            f"The cascade {name} pays: on validation rows it earned {own} a month, {lead} more "
            f"than {rival} alone."
        )
    if chosen:
        return (
            f"The cascade {name} is the surer one: on validation rows it earned {own} a month and "
            f"{rival} alone {alone}, which they cannot tell apart, and its log loss is lower."
        )
    told = f"on validation rows the best one, {name}, earned {own} a month, {rival} alone {alone}"
    if ahead:
        return f"No cascade is clearly better: {told}."
    return f"No cascade pays: {told}."


def _plain(amount: UncertainMoney) -> dict[str, float]:
    low, high = amount.interval(0.9)
    return {"mean": float(amount.mean), "low": float(low), "high": float(high)}
