"""What a recipe cannot do without, told before it begins."""

from __future__ import annotations

from collections.abc import Iterable

from payoff.adapt.recipes.recipe import Recipe
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


def tasks_of(recipe: Recipe) -> tuple[str, ...]:
    """What a recipe can learn: its attribute ``tasks``, and classes alone where it has none.

    Example:
        >>> from payoff.adapt.recipes import recipe_named
        >>> tasks_of(recipe_named("lora")), tasks_of(recipe_named("focal"))
        (('classes', 'multi-label', 'ordinal', 'regression'), ('classes',))
    """
    tasks: tuple[str, ...] = getattr(recipe, "tasks", ("classes",))
    return tasks


def need_task(recipe: Recipe, task: str, known: Iterable[Recipe]) -> None:
    """Refuse a recipe that cannot learn a task, and name those among ``known`` that can.

    Raises:
        AdaptError: PF405.
    """
    if task not in tasks_of(recipe):
        able = sorted(other.name for other in known if task in tasks_of(other))
        raise AdaptError(
            "PF405",
            f"recipe '{recipe.name}'",
            f"it learns {' and '.join(tasks_of(recipe))}, not {task}",
            expected=f"one of {', '.join(able)}",
            mend="Name one of these: --recipe NAME.",
        )
