"""Energy and carbon: quantities beside the money, from measured processor time."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from payoff.core.errors import EconomicsError, did_you_mean

_JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Factor:
    """A dated figure that turns one quantity into another.

    Args:
        value: Watts of a busy processor, or grams of CO2 equivalent of a kilowatt-hour.
        as_of: Day that it describes; None where the founder states it.
        source: Where it was read.

    Raises:
        EconomicsError: PF604 where the value is negative or not finite.

    Example:
        >>> power().value, power().as_of.isoformat()
        (3.9725, '2026-11-22')
    """

    value: float
    as_of: date | None
    source: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise EconomicsError("PF604", self.source, f"it is {self.value}", expected="0 or more")


@dataclass(frozen=True, slots=True)
class Energy:
    """What some processor time used: never money, unless the founder prices it.

    Args:
        cpu_s: Measured processor time, of all cores together.
        kwh: Electricity.
        grams: CO2 equivalent; None where the place is not known.
    """

    cpu_s: float
    kwh: float
    grams: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Plain values for JSON."""
        return {"cpu_s": self.cpu_s, "kwh": self.kwh, "grams_co2e": self.grams}


def energy_of(cpu_s: float, watts_per_cpu: Factor, grams_per_kwh: Factor | None = None) -> Energy:
    """Energy and carbon of some processor time.

    Args:
        cpu_s: Processor time in seconds, of all cores together.
        watts_per_cpu: Power of one busy processor.
        grams_per_kwh: Carbon of a kilowatt-hour; None where the place is not known.

    Raises:
        EconomicsError: PF604 where the time is negative or not finite.

    Example:
        >>> an_hour = energy_of(3600.0, Factor(10.0, None, "stated"), Factor(400.0, None, "stated"))
        >>> an_hour.kwh, an_hour.grams
        (0.01, 4.0)
    """
    if not (math.isfinite(cpu_s) and cpu_s >= 0):
        raise EconomicsError("PF604", "processor time", f"it is {cpu_s} s", expected="0 or more")
    kwh = cpu_s * watts_per_cpu.value / _JOULES_PER_KWH
    return Energy(cpu_s, kwh, None if grams_per_kwh is None else kwh * grams_per_kwh.value)


def power() -> Factor:
    """Power of one busy virtual processor in a data centre, where nobody states another.

    Example:
        >>> power().value
        3.9725
    """
    return _newest("watts_per_cpu", "")


def grid(country: str) -> Factor:
    """Carbon of a kilowatt-hour from a country's grid.

    Args:
        country: ISO 3166 code of two letters.

    Raises:
        EconomicsError: PF601 where no figure is known.

    Example:
        >>> grid("FR").value < grid("DE").value
        True
    """
    return _newest("grams_per_kwh", country)


def _newest(kind: str, place: str) -> Factor:
    found = [f for f in _tables() if (f["kind"], f["place"]) == (kind, place)]
    if not found:
        known = sorted({f["place"] for f in _tables() if f["kind"] == kind})
        raise EconomicsError(
            "PF601",
            f"country '{place}'",
            "no carbon of its electricity is known",
            expected=f"one of {', '.join(known)}",
            mend=did_you_mean(place, known) or "State grams_per_kwh in payoff.toml [machine].",
        )
    newest = max(found, key=lambda table: table["as_of"])
    return Factor(newest["value"], newest["as_of"], newest["source"])


@cache
def _tables() -> tuple[dict[str, Any], ...]:
    file = resources.files("payoff.economics") / "energy.toml"
    return tuple(tomllib.loads(file.read_text(encoding="utf-8"))["factor"])
