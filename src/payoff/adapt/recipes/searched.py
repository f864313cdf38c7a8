"""Recipes that say more of their settings: those that may be added, and where to look for better.

Both are protocols beside `recipe.Recipe`, which a recipe may leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench


@runtime_checkable
class Searched(Protocol):
    """A recipe that says where better settings may lie."""

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """Setting to range, for the backbone and the rows at hand.

        Args:
            candidate: The recipe with its usual settings, all of which lie in their ranges.
            bench: The shared workbench.
        """


@runtime_checkable
class Settable(Protocol):
    """A recipe with settings that its usual candidates do not name."""

    def optional(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Any]:
        """Setting to the value that counts where the candidate does not name it."""


def optional_settings(recipe: Any, candidate: Candidate, bench: Workbench) -> dict[str, Any]:
    """The settings that a candidate could name and does not, with the values that count."""
    if not isinstance(recipe, Settable):
        return {}
    named = dict(candidate.settings)
    optional = recipe.optional(candidate, bench)
    return {name: value for name, value in optional.items() if name not in named}


def with_settings(
    recipe: Any, candidate: Candidate, bench: Workbench, settings: Mapping[str, Any]
) -> Candidate:
    """A candidate with some settings changed; what counts anyhow is not named.

    Args:
        recipe: The candidate's recipe.
        candidate: The candidate to change.
        bench: The shared workbench.
        settings: Setting to value; all are settings of the recipe, and of the right type.
    """
    named = dict(candidate.settings)
    named |= {name: value for name, value in settings.items() if name in named}
    changed = replace(candidate, settings=tuple(named.items()))
    unnamed = optional_settings(recipe, changed, bench)
    more = [
        (name, settings[name])
        for name, counts in unnamed.items()
        if name in settings and settings[name] != counts
    ]
    return replace(changed, settings=(*changed.settings, *more))
