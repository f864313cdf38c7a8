"""The ways to adapt a pretrained model, one a file, all behind one interface (`recipe.Recipe`)."""

from __future__ import annotations

from payoff.adapt.recipes.recipe import Recipe
from payoff.core.registry import Registry


def recipes() -> list[Recipe]:
    """All registered recipes, built-in and third-party, by name.

    Example:
        >>> [recipe.name for recipe in recipes()][:4]
        ['adalora', 'adapter', 'api', 'augmented']
    """
    registry = Registry("payoff.recipes", "recipe")
    return [registry.get(name)() for name in registry.names]


def recipe_named(name: str) -> Recipe:
    """One recipe.

    Raises:
        AdaptError: PF401 where there is none of that name.

    Example:
        >>> recipe_named("fine-tune").rungs
        (0.34, 1.0)
    """
    recipe: Recipe = Registry("payoff.recipes", "recipe").get(name)()
    return recipe
