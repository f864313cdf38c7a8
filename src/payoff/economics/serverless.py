"""Serverless: what functions cost, cold starts included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from payoff.economics.charge import Charge, PerColdStart, PerRequest, Quantity
from payoff.economics.costs import Step
from payoff.economics.instance import latency_alone_ms
from payoff.economics.offer import Offer, Tariff
from payoff.economics.platform import Platform
from payoff.economics.requirement import Requirement

ASSUMED_KEEP_ALIVE_MINUTES: Final = 5.0
_TAIL: Final = 0.05
_LEFT_OUT: Final = (
    "the journal needs a database outside the function, which is not priced",
    "the platform's own time before the process starts is not in the cold start",
)
_MIB_PER_GB: Final = 1024.0


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of one serverless service, in the plan's currency.

    Args:
        request: Price of one request.
        gb_second: Price of memory.
        vcpu_second: Price of processors; None where they come with the memory.

    Example:
        >>> from payoff.economics.prices import PriceBook
        >>> found = [Tariff(price, price.money) for price in PriceBook.builtin().find(
        ...     provider="aws", service="lambda") if price.item in ("request", "x86")]
        >>> memory, request = found
        >>> Rates(request, memory).vcpu_second is None
        True
    """

    request: Tariff
    gb_second: Tariff
    vcpu_second: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it would be ordered: its memory, and how long it takes.

    Args:
        memory_mib: Memory ordered.
        vcpu: Processors that come with it.
        duration_ms: One request on a warm instance.
        start_s: A cold start.

    Example:
        >>> Function(memory_mib=400, vcpu=0.23, duration_ms=44.2, start_s=4.4).memory_mib
        400
    """

    memory_mib: int
    vcpu: float
    duration_ms: float
    start_s: float


def ordered(platform: Platform, need: Requirement) -> Function | None:
    """The function to order: least memory that holds the model and, if it can, the limit.

    Where processors come with the memory, more memory is faster and costs about the same for each
    request, so that it is doubled until the latency limit holds or the measured number of threads
    is reached. None where the platform has not enough memory.

    Example:
        >>> from payoff.economics.platform import platforms
        >>> need = Requirement(200.0, 5.0, 200 * 2**20, 9e7, 0.5, 4.0, latency_limit_ms=50.0)
        >>> ordered(platforms()["aws", "lambda"], need).memory_mib  # 44 ms with 0.23 processors
        400
    """
    memory = platform.memory_mib(need.memory_bytes)
    if memory is None:
        return None
    while True:
        vcpu = platform.processors(memory)
        slower = max(1.0, need.threads / vcpu)
        function = Function(
            memory, vcpu, latency_alone_ms(need, vcpu), need.start_s / need.speed * slower
        )
        limit = need.latency_limit_ms
        too_slow = limit is not None and function.duration_ms > limit
        larger = min(2 * memory, platform.memory_most_mib)
        if not too_slow or slower == 1.0 or larger == memory or platform.mib_per_vcpu is None:
            return function
        memory = larger


def serverless(
    platform: Platform,
    rates: Rates,
    need: Requirement,
    *,
    requests_per_month: float,
    keep_alive_minutes: float | None = None,
) -> Offer:
    """A function that is billed for the time it runs.

    Every request is billed for its duration, rounded as the platform rounds; requests that find
    no warm instance are billed for the start as well. Free tiers are left out, which is cautious.

    Args:
        platform: How the platform rounds and what it can take.
        rates: Its prices.
        need: What was measured.
        requests_per_month: Likely traffic, at which the latency limit is checked.
        keep_alive_minutes: Minutes for which an idle instance is kept; None assumes 5.

    Example:
        >>> from payoff.economics.platform import platforms
        >>> from payoff.economics.prices import PriceBook
        >>> memory, request = (Tariff(price, price.money) for price in PriceBook.builtin().find(
        ...     provider="aws", service="lambda") if price.item in ("request", "x86"))
        >>> offer = serverless(platforms()["aws", "lambda"], Rates(request, memory),
        ...                    Requirement(200.0, 5.0, 2e8, 9e7, 0.5, 4.0),
        ...                    requests_per_month=40_000)
        >>> offer.name, len(offer.charges)
        ('aws lambda x86 us-east-1, 191 MiB', 3)
    """
    price = rates.gb_second.price
    function = ordered(platform, need)
    if function is None:
        most = platform.memory_most_mib
        return rates.gb_second.refused(f"the model needs more than its {most} MiB of memory")
    limit = platform.package_limit_bytes
    if limit is not None and need.package_bytes > limit:
        sizes = f"{need.package_bytes / 1e6:.0f} MB is over {limit / 1e6:.0f} MB"
        return rates.gb_second.refused(f"the package is too large: {sizes}")
    keep = ASSUMED_KEEP_ALIVE_MINUTES if keep_alive_minutes is None else keep_alive_minutes
    parts = _parts(platform, rates, need, function=function, keep_alive_minutes=keep)
    kept = f"idle instances kept {keep:g} min{' (assumed)' if keep_alive_minutes is None else ''}"
    package = "" if limit is not None else "package size limit not checked"
    charges = tuple(
        Charge(
            Step.INFERENCE,
            what,
            quantity,
            unit,
            tariff.unit_price,
            as_of=tariff.price.as_of,
            source=tariff.price.source,
            measured=False,
            note=tariff.with_note(need.speed_note, kept, "free tier left out", package),
        )
        for what, quantity, unit, tariff in parts
    )
    name = f"{rates.gb_second.name}, {function.memory_mib} MiB"
    offer = Offer(name, price.provider, price.item, price.region, charges, notes=_LEFT_OUT)
    return offer.because(_too_slow(need, function, requests_per_month, keep_alive_minutes=keep))


_Part = tuple[str, Quantity, str, Tariff]


def _parts(
    platform: Platform,
    rates: Rates,
    need: Requirement,
    *,
    function: Function,
    keep_alive_minutes: float,
) -> tuple[_Part, ...]:
    """What is billed: requests, memory, processors, and the same two for cold starts."""
    run_s = platform.billed_ms(function.duration_ms) / 1000.0
    cold_s = platform.billed_ms(function.duration_ms + function.start_s * 1000.0) / 1000.0 - run_s
    parts: list[_Part] = [("function requests", PerRequest(1.0), "request", rates.request)]
    resources = [(function.memory_mib / _MIB_PER_GB, "GB-second", "memory", rates.gb_second)]
    if rates.vcpu_second is not None:
        resources.append((function.vcpu, "vCPU-second", "processors", rates.vcpu_second))
    for size, unit, what, tariff in resources:
        cold = PerColdStart(size * cold_s, keep_alive_minutes)
        parts.append((f"function {what}", PerRequest(size * run_s), unit, tariff))
        parts.append((f"function {what}, cold starts", cold, unit, tariff))
    return tuple(parts)


def _too_slow(
    need: Requirement, function: Function, requests_per_month: float, *, keep_alive_minutes: float
) -> str:
    """Why the latency limit does not hold at the likely traffic; empty where it does."""
    limit = need.latency_limit_ms
    if limit is None:
        return ""
    if function.duration_ms > limit:
        return f"one text alone takes {function.duration_ms:.1f} ms, over the {limit:g} ms"
    cold = PerColdStart(1.0, keep_alive_minutes)
    share = float(cold.share(np.asarray(requests_per_month)))
    cold_ms = function.duration_ms + function.start_s * 1000.0
    if share > _TAIL and cold_ms > limit:
        return f"{share:.0%} of the requests wait {function.start_s:.1f} s for a cold start"
    return ""
