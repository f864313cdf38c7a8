"""Settings that every `tuned.Tuned` recipe takes beside its own, and the ranges of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

if TYPE_CHECKING:
    from payoff.adapt.recipes.tuned import Tuned

SETTABLE = (
    "learning_rate",
    "head_learning_rate",
    "decay",
    "batch_texts",
    "max_tokens",
    "smoothing",
)
"""What a candidate may name: five fields of the schedule, and one of most objectives."""

_WHOLE = ("batch_texts", "max_tokens")
_NOT_SOUGHT = ("max_tokens", "decay")  # of memory, not of quality; and to be asked for

_BATCHES = (16, 32, 64)
_RATES_APART = 5.0  # a sweep looks from a fifth of the usual rate to five times that
_EPOCHS_APART = 2.0
_MOST_SMOOTHING = 0.3


MERGED = "merged"
"""Setting of recipes that train beside frozen weights: 1 to export what was trained folded into
them, which is fastest; 0 to leave them as they were, so that models share them in one process."""


def is_merged(candidate: Candidate) -> bool:
    """Whether a candidate is exported with what was trained folded in.

    Raises:
        AdaptError: PF406 for a setting that is neither 0 nor 1.

    Example:
        >>> is_merged(Candidate("lora", "minilm-l6", (("rank", 8), ("merged", 0))))
        False
    """
    value = dict(candidate.settings).get(MERGED, 1)
    _check(MERGED, value, value in (0, 1), "0 or 1")
    return bool(value)


def optional_of(recipe: Tuned, candidate: Candidate, bench: Workbench) -> dict[str, Any]:
    """What counts where a candidate names none of these, by the recipe's schedule and objective."""
    schedule = recipe.schedule(candidate, bench)
    objective = recipe.objective(candidate, bench)
    counts = {name: getattr(schedule, name, None) for name in recipe.settable}
    if "smoothing" in counts:
        counts["smoothing"] = getattr(objective, "smoothing", None)
    return {name: value for name, value in counts.items() if value is not None}


def planned_schedule(recipe: Tuned, candidate: Candidate, bench: Workbench) -> Schedule:
    """The recipe's schedule, with what the candidate names in place of it.

    Raises:
        AdaptError: PF406 for a rate that is not above 0, a step of no texts or tokens, a ``decay``
            that is not above 0 and at most 1, or a setting `MERGED` that is neither 0 nor 1: told
            before the training, not behind it.
    """
    is_merged(candidate)
    named = _named(recipe, candidate)
    return replace(recipe.schedule(candidate, bench), **named)


def planned_objective(recipe: Tuned, candidate: Candidate, bench: Workbench) -> Objective:
    """The recipe's objective, with the smoothing that the candidate names.

    Raises:
        AdaptError: PF406 for a smoothing that is not from 0 to below 1.
    """
    objective: Any = recipe.objective(candidate, bench)
    settings = dict(candidate.settings)
    if "smoothing" in recipe.settable and "smoothing" in settings:
        smoothing = settings["smoothing"]
        _check("smoothing", smoothing, 0.0 <= smoothing < 1.0, "from 0 to below 1")
        objective = replace(objective, smoothing=smoothing)
    chosen: Objective = objective
    return chosen


def space_of(recipe: Tuned, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
    """Depth and epochs, the recipe's own settings as it says, rates, texts a step, smoothing."""
    named = dict(candidate.settings)
    layers = bench.opened(candidate.backbone).encoder.shape.layers
    depths = tuple(sorted({0, layers // 2, 3 * layers // 4, named["depth"]}))
    found: dict[str, Range] = {}
    if len(depths) > 1:
        found["depth"] = Range(choices=depths)
        trunk = bench.opened(candidate.backbone).trunk
        trunk.expected.update(depth for depth in depths if depth > 0)
    if "epochs" in named:
        found["epochs"] = Range.around(named["epochs"], _EPOCHS_APART)
    found |= {name: where for name, where in recipe.ranges if name in named}
    for name, counts in optional_of(recipe, candidate, bench).items():
        if name == "batch_texts":
            found[name] = Range(choices=tuple(sorted({*_BATCHES, counts})))
        elif name in _NOT_SOUGHT:
            continue
        elif name == "smoothing":
            found[name] = Range(0.0, max(_MOST_SMOOTHING, counts))
        else:
            found[name] = Range.around(counts, _RATES_APART)
    return found


def _named(recipe: Tuned, candidate: Candidate) -> dict[str, Any]:
    settings = dict(candidate.settings)
    wanted = [name for name in recipe.settable if name in settings and name != "smoothing"]
    for name in wanted:
        if name == "decay":
            _check(name, settings[name], 0 < settings[name] <= 1, "above 0 and at most 1")
            continue
        expected = "at least 1" if name in _WHOLE else "above 0"
        _check(name, settings[name], settings[name] > 0, expected)
    return {name: settings[name] for name in wanted}


def _check(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise AdaptError("PF406", f"setting '{name}'", f"{value!r}", expected=expected)
