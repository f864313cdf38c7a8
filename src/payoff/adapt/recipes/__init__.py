"""The ways to adapt a pretrained model, one a file, all behind one interface (`recipe.Recipe`)."""

from __future__ import annotations

from payoff.adapt.recipes.recipe import Recipe
from payoff.core.registry import Registry


def recipes() -> list[Recipe]:
    """All registered recipes, built-in and third-party, by name.

    Example:
        >>> [recipe.name for recipe in recipes()]
        ['bag-of-words', 'fine-tune', 'frozen-head', 'static-head']
    """
    registry = Registry("payoff.recipes", "recipe")
    return [registry.get(name)() for name in registry.names]
