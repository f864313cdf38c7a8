"""What a recipe cannot do without, told before it begins."""

from __future__ import annotations

from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError


def need_family(recipe: str, bench: Workbench, backbone: str, *, family: str = "encoder") -> None:
    """Refuse a backbone of another family.

    Raises:
        AdaptError: PF405.
    """
    found = bench.opened(backbone).backbone.family
    if found != family:
        raise AdaptError(
            "PF405",
            f"recipe '{recipe}'",
            f"'{backbone}' is of the family '{found}'",
            expected=f"a backbone of the family '{family}'",
            mend="Name another backbone: `payoff backbones` lists them.",
        )


def need_unlabelled(recipe: str, bench: Workbench) -> None:
    """Refuse where there are no texts without labels.

    Raises:
        AdaptError: PF405.
    """
    if not bench.unlabelled:
        raise AdaptError(
            "PF405",
            f"recipe '{recipe}'",
            "there are no texts without labels",
            expected="at least one",
            mend="Give unlabelled texts, or use a recipe that learns from labels alone.",
        )
