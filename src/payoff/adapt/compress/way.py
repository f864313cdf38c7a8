"""Ways to compress a tier as people write them: ``trim+prune[heads=0.75]+int8``."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from payoff.adapt.compress.compressor import Compressor
from payoff.core.errors import AdaptError, did_you_mean
from payoff.core.registry import Registry

JOINT = "+"
"""Between the compressors of a way, in their order: ``trim+int8``."""

_STEP = re.compile(r"(?P<name>[^\[\]]*)(?:\[(?P<settings>[^\[\]]*)\])?")


def chain_of(way: str) -> list[Compressor]:
    """The compressors of a way, with the settings that it gives them.

    A compressor's settings are numbers: the fields of its class, where that is a dataclass.

    Args:
        way: Names with `JOINT` between them, each with settings in brackets where there are any.

    Raises:
        AdaptError: PF401 for an unknown compressor; PF406 for a setting that it does not have, or
            a value that it does not take.

    Example:
        >>> [type(one).__name__ for one in chain_of("trim+int8")]
        ['Trim', 'Int8']
        >>> chain_of("prune[heads=0.75]")
        [Prune(heads=0.75, neurons=0.75)]
    """
    return [_compressor(step) for step in way.split(JOINT)]


def need_within(name: str, setting: str, value: float, least: float, most: float) -> None:
    """Refuse a setting of a compressor that is out of its range, both ends included.

    Raises:
        AdaptError: PF406.

    Example:
        >>> need_within("prune", "heads", 0.5, 0.1, 1)
    """
    if not least <= value <= most:
        raise AdaptError(
            "PF406",
            f"compressor '{name}', setting '{setting}'",
            f"{value}",
            expected=f"{least} to {most}",
        )


def _compressor(step: str) -> Compressor:
    parts = _STEP.fullmatch(step)
    if parts is None:
        raise AdaptError(
            "PF406",
            f"compressor '{step}'",
            "brackets that do not match",
            expected="NAME or NAME[SETTING=NUMBER,…]",
        )
    name = parts["name"]
    made = Registry("payoff.compressors", "compressor").get(name)
    known = {field.name: field.default for field in _fields(made)}
    given: dict[str, float] = {}
    for pair in filter(None, (parts["settings"] or "").split(",")):
        setting, _, value = pair.partition("=")
        where = f"compressor '{name}', setting '{setting}'"
        if setting not in known:
            raise AdaptError(
                "PF406",
                where,
                "there is none of that name",
                expected=f"one of {', '.join(known)}" if known else "no settings",
                mend=did_you_mean(setting, list(known)),
            )
        if setting in given:
            raise AdaptError("PF406", where, "it is given twice", expected="one value")
        given[setting] = _number(where, value, known[setting])
    found: Compressor = made(**given)
    return found


def _fields(made: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(made) if dataclasses.is_dataclass(made) else ()


def _number(where: str, value: str, usual: Any) -> float:
    """A value of the kind of the usual one."""
    kind = int if isinstance(usual, int) else float
    try:
        number = kind(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AdaptError("PF406", where, f"{value!r}", expected=f"a number like {usual}")
    return number
