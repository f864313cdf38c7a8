"""Recipes named inside a setting of another: ``fine-tune[depth=3,tuned=1]``."""

from __future__ import annotations

import re

from payoff.adapt.recipes.recipe import Candidate
from payoff.core.errors import AdaptError, did_you_mean

_BETWEEN = re.compile(r"\+(?![^\[]*\])")
_TOLD = re.compile(r"(?P<name>[^\[\]+]+)(\[(?P<settings>[^\[\]]+)\])?")

Told = tuple[str, str]


def told(text: str) -> Told | None:
    """A recipe's name and what stands in brackets behind it; None for anything else.

    Example:
        >>> told("fine-tune[depth=3,tuned=1]"), told("lora"), told("lora[")
        (('fine-tune', 'depth=3,tuned=1'), ('lora', ''), None)
    """
    found = _TOLD.fullmatch(text)
    return (found["name"], found["settings"] or "") if found else None


def all_told(text: str) -> list[Told | None]:
    """As `told`, of each of those with + between them.

    Example:
        >>> all_told("fine-tune[members=a+b]+lora")
        [('fine-tune', 'members=a+b'), ('lora', '')]
    """
    return [told(one) for one in _BETWEEN.split(text)]


def with_settings(candidate: Candidate, changes: str, *, where: str) -> Candidate:
    """The candidate with settings of its own changed, each as the type that it has.

    Args:
        candidate: Usual settings.
        changes: ``depth=3,tuned=1``, or nothing.
        where: Whose setting this is, for messages.

    Raises:
        AdaptError: PF406 for a setting that it does not have, or a value of another type.

    Example:
        >>> usual = Candidate("lora", "minilm-l6", (("rank", 8),))
        >>> with_settings(usual, "rank=4", where="recipe 'stacked'").settings
        (('rank', 4),)
    """
    for pair in filter(None, changes.split(",")):
        name, _, value = pair.partition("=")
        candidate = _with_setting(candidate, name, value, f"{where} '{candidate.recipe}'")
    return candidate


def _with_setting(candidate: Candidate, name: str, value: str, where: str) -> Candidate:
    known = dict(candidate.settings)
    if name not in known:
        raise AdaptError(
            "PF406",
            where,
            f"it has no setting '{name}'",
            expected=", ".join(known) or "no setting at all",
            mend=did_you_mean(name, list(known)),
        )
    try:
        return candidate.having(name, type(known[name])(value))
    except ValueError as error:
        expected = f"a value like {known[name]!r}"
        raise AdaptError("PF406", where, f"{name}={value}", expected=expected) from error
