"""Energy and carbon of answering: quantities that stand beside a plan's money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from payoff.economics.energy import Factor, energy_of, power
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.options import Option, Workshop


def energy_section(chosen: Option | CascadeOption, workshop: Workshop) -> dict[str, Any]:
    """What answering a month's likely requests takes of electricity, for the summary.

    From the measured texts a second of each model and the share of the requests that it is asked
    about. What an endpoint or a person uses is not known, and not counted.

    Args:
        chosen: The option that was chosen.
        workshop: Knows the traffic, and what the founder states of power and carbon.
    """
    shares = chosen.plan.reached if isinstance(chosen, CascadeOption) else (1.0,)
    meter = workshop.run.meter
    watts, carbon = (
        (power(), None) if meter is None else (meter.terms.watts_per_cpu, meter.terms.grams_per_kwh)
    )
    per_request = cpu_seconds(chosen.tiers, shares)
    section: dict[str, Any] = {
        "requests_month": workshop.terms.traffic.per_month,
        "cpu_s_request": per_request,
        "endpoints": [tier.name for tier in chosen.tiers if tier.spec.kind == "endpoint"],
        "watts_per_cpu": watts.value,
        "watts_source": _told(watts),
        "grams_per_kwh": None if carbon is None else carbon.value,
        "grams_source": None if carbon is None else _told(carbon),
        "month": None,
    }
    if per_request is not None:
        used = energy_of(workshop.terms.traffic.per_month * per_request, watts, carbon)
        section["month"] = used.as_dict()
    return section


def cpu_seconds(tiers: Sequence[Option], shares: Sequence[float]) -> float | None:
    """Processor seconds of a request, all threads together; None where a model was not timed.

    While a batch is answered all threads of the model are taken to be busy, so that it is more
    rather than less.

    Args:
        tiers: The models, in the order in which they are asked.
        shares: Share of the requests that each is asked about.
    """
    total = 0.0
    for tier, share in zip(tiers, shares, strict=True):
        if tier.spec.kind == "endpoint":
            continue
        latency = tier.evidence.latency
        if latency is None or not latency.threads or not latency.texts_per_s > 0:
            return None
        total += share * latency.threads / latency.texts_per_s
    return total


def _told(factor: Factor) -> str:
    return factor.source if factor.as_of is None else f"{factor.source} ({factor.as_of})"
