"""The choice among plans: by expected profit; with few rows the usual one in doubt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from payoff.economics.uncertain_money import UncertainMoney

if TYPE_CHECKING:
    from payoff.adapt.workbench import Workbench

CASCADE = "cascade"
"""What stands for the recipe of a plan of several models."""

_DOUBT = 0.025  # share of the worlds in which the usual plan may earn more
_LEAST_LEAD = 0.001  # of what a single model earns


def foremost(profits: Sequence[UncertainMoney], aversion: float) -> int:
    """Place of the highest profit, less λ · CVaR where the founder fears loss.

    By this one rule models are compared with each other, with what can be done without one, and
    with the runner-up. Of equals the first is taken.

    Args:
        profits: At least one, in the same worlds.
        aversion: λ.

    Example:
        >>> import numpy as np
        >>> profits = [UncertainMoney(np.array(two), "EUR") for two in ([-9.0, 15.0], [2.0, 2.0])]
        >>> foremost(profits, 0.0), foremost(profits, 1.0)
        (0, 1)
    """
    adjusted = [profit.risk_adjusted(aversion) for profit in profits]
    return max(range(len(adjusted)), key=lambda place: adjusted[place])


def preferred(
    profits: Sequence[UncertainMoney],
    recipes: Sequence[str],
    *,
    aversion: float,
    expected: str,
    surer: Collection[int] = (),
) -> int:
    """Place of the plan of the highest profit, less λ · CVaR where the founder fears loss.

    A cascade is a plan like any other: it is valued by rows that chose none of its tiers, and what
    several models cost is in its profit. It has to bring a thousandth more than the single model:
    what is less than that is not worth a second one to keep. Where worth cannot tell the two apart,
    it is taken too if its log loss is lower (decisions 9 and 35).

    Args:
        profits: Of each plan, from the same validation rows, in the same worlds.
        recipes: Of each plan, the recipe; `CASCADE` for one of several models.
        aversion: λ.
        expected: A recipe that is taken unless another, or a cascade, earns more in nearly all
            worlds: with few validation rows, what was best elsewhere is the better guess. Empty
            for none.
        surer: Places of the models that have a higher log loss than the cascade.

    Example:
        >>> import numpy as np
        >>> profits = [UncertainMoney(np.array(two), "EUR") for two in ([5.0, 1.0], [3.0, 2.0])]
        >>> how = {"recipes": ["lora", "named-head"], "aversion": 0.0}
        >>> preferred(profits, expected="", **how), preferred(profits, expected="named-head", **how)
        (0, 1)
    """
    adjusted = [float(profit.risk_adjusted(aversion)) for profit in profits]

    def first(places: Sequence[int]) -> int:
        return places[foremost([profits[place] for place in places], aversion)]

    def clearly_above(place: int, other: int) -> bool:
        return (profits[place] - profits[other]).probability_below() <= _DOUBT

    models = [place for place, recipe in enumerate(recipes) if recipe != CASCADE]
    chosen = first(models)
    usual = [place for place, recipe in enumerate(recipes) if recipe == expected]
    if usual and not clearly_above(chosen, first(usual)):
        chosen = first(usual)
    for place in set(range(len(recipes))) - set(models):
        leads = adjusted[place] > adjusted[chosen] + _LEAST_LEAD * abs(adjusted[chosen])
        if usual:
            better = leads and clearly_above(place, chosen)
        else:
            better = leads or (chosen in surer and not clearly_above(chosen, place))
        chosen = place if better else chosen
    return chosen


def expected_recipe(bench: Workbench, compared: Collection[str]) -> str:
    """What was best elsewhere with as few rows a label; empty where rows are many.

    Args:
        bench: The rows, and whether there are texts without labels.
        compared: The recipes to choose from; a student may have had no time.
    """
    from payoff.adapt.recipes.usual import MANY_ROWS, TAUGHT, usual_recipe

    found = usual_recipe(len(bench.train), len(bench.labels))
    if found == MANY_ROWS:
        return ""
    return TAUGHT if bench.unlabelled and TAUGHT in compared else found
