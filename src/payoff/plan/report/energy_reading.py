"""The sentence about electricity: what answering takes of it, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.figures import finite, pick, words


def read_energy(summary: Mapping[str, Any]) -> str:
    """What a month of answering takes, or that it is not known.

    Example:
        >>> read_energy({"energy": {"month": {"cpu_s": 7200.0, "kwh": 0.02, "grams_co2e": 8.0},
        ...              "watts_per_cpu": 10.0, "watts_source": "payoff.toml [machine]"}})
        'Answering takes 2 h of processor time a month: 0.02 kWh, 8 g CO2e (10 W a processor: \
payoff.toml [machine]). It is a quantity, and in no sum above.'
        >>> read_energy({})
        'How much electricity answering takes was not measured.'
    """
    used = pick(summary, "energy", "month")
    kwh, cpu_s = (finite(pick(used, key)) for key in ("kwh", "cpu_s")) if used else (None, None)
    if kwh is None or cpu_s is None:
        return "How much electricity answering takes was not measured."
    grams = finite(pick(used, "grams_co2e"))
    carbon = (
        ", carbon not known ([machine] in payoff.toml states a country)"
        if grams is None
        else f", {grams:,.3g} g CO2e"
    )
    watts = finite(pick(summary, "energy", "watts_per_cpu")) or 0.0
    source = words(pick(summary, "energy", "watts_source"), missing="source not stated")
    return (
        f"Answering takes {cpu_s / 3600:,.3g} h of processor time a month: {kwh:,.3g} kWh{carbon} "
        f"({watts:g} W a processor: {source})." + _beside(summary)
    )


def _beside(summary: Mapping[str, Any]) -> str:
    names = pick(summary, "energy", "endpoints") or []
    told = f" What {' and '.join(map(str, names))} takes is not known." if names else ""
    return f"{told} It is a quantity, and in no sum above."
