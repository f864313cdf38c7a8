"""Instances: how many machines a month's peak needs, and what renting or owning them costs."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Final

import numpy as np

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.charge import Charge, PerInstance, PerScaledInstance
from payoff.economics.costs import Step
from payoff.economics.offer import Offer, Tariff
from payoff.economics.prices.price import HOURS_PER_MONTH
from payoff.economics.queueing import LATE_AT_MOST, late_share, most_arrivals_per_s
from payoff.economics.requirement import Requirement
from payoff.economics.traffic import SECONDS_PER_MONTH

_GIB: Final = 2**30


def latency_alone_ms(need: Requirement, vcpu: float) -> float:
    """95 % quantile of the latency of one text alone on a machine with so many processors.

    Fewer processors than the measurement's threads make it slower in proportion; more do not make
    it faster.

    Example:
        >>> latency_alone_ms(Requirement(200.0, 5.0, 2e8, 9e7, 0.5, 4.0), 1.0)
        10.0
    """
    return need.single_latency_ms / need.speed * max(1.0, need.threads / vcpu)


def instances_needed(need: Requirement, vcpu: float, *, units: float) -> PerInstance:
    """Instances as a step function of the requests a month.

    One instance answers ``texts_per_s × speed × vcpu / threads``. ``n`` instances take a peak of
    ``n × that × target_utilisation``, or less where the waiting time would break the latency
    limit: the instances are an M/G/c queue with one server per ``threads`` processors, and 95 %
    of the requests may wait no longer than the limit less the latency of one text alone. Adding
    the two 95 % quantiles is more cautious than the 95 % quantile of the sum usually is.

    Args:
        need: What was measured.
        vcpu: Virtual processors of one instance.
        units: Units of price per instance and month.

    Raises:
        EconomicsError: PF616 where one text alone already takes longer than the limit.

    Example:
        >>> need = Requirement(100.0, 5.0, 2e8, 9e7, 0.5, peak_factor=4.0)
        >>> rented = instances_needed(need, 2.0, units=730.0)
        >>> rented.limits / (730 * 3600) * 4  # requests a second at the peak: 100 × 0.6
        array([60.])
    """
    per_instance = need.texts_per_s * need.speed * vcpu / need.threads
    servers = max(1, int(vcpu // need.threads))
    planned = per_instance * need.target_utilisation
    peaks = [planned]
    if need.latency_limit_ms is not None:
        alone = latency_alone_ms(need, vcpu)
        if alone > need.latency_limit_ms:
            found = f"one text alone takes {alone:.1f} ms, over the {need.latency_limit_ms:g} ms"
            raise EconomicsError("PF616", "latency limit", found)
        peaks = list(
            _peaks(need, vcpu, planned, servers, service_ms=1000.0 * servers / per_instance)
        )
    per_month = SECONDS_PER_MONTH / need.peak_factor
    return PerInstance(units, np.array(peaks) * per_month, planned * per_month, need.redundancy)


@lru_cache(maxsize=256)
def _peaks(
    need: Requirement, vcpu: float, planned: float, servers: int, *, service_ms: float
) -> tuple[float, ...]:
    """Requests a second that 1, 2, … instances take, until waiting no longer binds."""
    assert need.latency_limit_ms is not None
    asked = {
        "limit_ms": need.latency_limit_ms,
        "alone_p95_ms": latency_alone_ms(need, vcpu),
        "service_scv": need.service_scv,
        "at_once": need.at_once,
    }
    peaks: list[float] = []
    while True:
        n = len(peaks) + 1
        if late_share(n * planned, service_ms, n * servers, **asked) <= LATE_AT_MOST:
            return (*peaks, n * planned)
        most = most_arrivals_per_s(service_ms, n * servers, **asked)
        peaks.append(min(n * planned, most))


def rented(tariff: Tariff, need: Requirement) -> Offer:
    """A machine rented by the hour or month, as many of them as the peak needs.

    Args:
        tariff: Price of the machine in the plan's currency.
        need: What was measured.

    Returns:
        The offer; `Offer.why_not` says which limit it breaks, if any.

    Example:
        >>> from payoff.economics.prices.book import PriceBook
        >>> price = PriceBook.builtin().get(kind="instance", provider="aws", item="c7i.large",
        ...                                 region="eu-central-1")
        >>> need = Requirement(100.0, 5.0, 2e8, 9e7, 0.5, peak_factor=4.0)
        >>> (charge,) = rented(Tariff(price, price.money), need).charges
        >>> charge.line(1000.0).quantity, charge.unit
        (730.0, 'hour')
    """
    price = tariff.price
    if price.vcpu is None or price.memory_gib is None or price.vcpu <= 0:
        return tariff.refused("the price book does not say its processors and memory")
    vcpu = float(price.vcpu)
    memory = max(1, int(vcpu // need.threads)) * need.memory_bytes
    if memory > float(price.memory_gib) * _GIB:
        room = f"{memory / _GIB:.1f} GiB are needed and it has {price.memory_gib} GiB"
        return tariff.refused(f"its memory is too small: {room}")
    monthly = price.unit == "month"
    try:
        needed = instances_needed(need, vcpu, units=1.0 if monthly else HOURS_PER_MONTH)
    except EconomicsError as error:
        return tariff.refused(error.found)
    charge = Charge(
        Step.INFERENCE,
        f"{price.item} rented",
        needed,
        "month" if monthly else "hour",
        tariff.unit_price,
        as_of=price.as_of,
        source=price.source,
        measured=need.speed_ratio is not None,
        note=tariff.with_note(need.speed_note),
    )
    return Offer(tariff.name, price.provider, price.item, price.region, (charge,))


def scaled(offer: Offer, need: Requirement) -> Offer | None:
    """A rented machine whose number follows the hour, so that quiet hours cost less.

    Machines for a busier hour are taken to be started in time for it; the minutes that this takes
    are not priced.

    Args:
        offer: What `rented` made.
        need: What was measured, with the requests of each hour.

    Returns:
        The offer; None where the hours are not known, or the machine is not rented by the hour.

    Example:
        >>> from payoff.economics.prices.book import PriceBook
        >>> price = PriceBook.builtin().get(kind="instance", provider="aws", item="c7i.large",
        ...                                 region="eu-central-1")
        >>> hours = (4.0,) + 23 * (1.0,)
        >>> need = Requirement(100.0, 5.0, 2e8, 9e7, 0.5, peak_factor=32 / 9, by_hour=hours)
        >>> (charge,) = scaled(rented(Tariff(price, price.money), need), need).charges
        >>> charge.line(60 * SECONDS_PER_MONTH).quantity / 730  # four in one hour of 24, else one
        1.125
    """
    if not need.by_hour or not offer.charges:
        return None
    (charge,) = offer.charges
    if charge.unit != "hour" or not isinstance(charge.quantity, PerInstance):
        return None
    note = "; ".join(text for text in (charge.note, "started in time for a busier hour") if text)
    hourly = replace(
        charge,
        what=f"{charge.what}, scaled by the hour",
        quantity=PerScaledInstance(charge.quantity, need.by_hour),
        note=note,
    )
    return replace(offer, name=f"{offer.name}, scaled by the hour", charges=(hourly,))


def owned(
    need: Requirement,
    *,
    name: str,
    vcpu: float,
    memory_gib: float,
    purchase: Money,
    life_months: float,
    watts: float,
    price_per_kwh: Money,
    hosting_per_month: Money,
) -> Offer:
    """A machine of one's own: purchase over its life, power, and the place where it stands.

    Args:
        need: What was measured.
        name: What the machine is called.
        vcpu: Hardware threads.
        memory_gib: Memory in GiB.
        purchase: Price of one machine.
        life_months: Months over which the purchase is spread.
        watts: Mean power drawn; the machine is taken to run all hours.
        price_per_kwh: Price of electricity.
        hosting_per_month: Place, network and care of one machine.

    Raises:
        EconomicsError: PF604 where a figure is out of range.

    Example:
        >>> box = owned(Requirement(100.0, 5.0, 2e8, 9e7, 0.5, 4.0), name="box", vcpu=2,
        ...             memory_gib=8, purchase=Money.of(360, "EUR"), life_months=36, watts=20,
        ...             price_per_kwh=Money.of("0.30", "EUR"), hosting_per_month=Money.of(5, "EUR"))
        >>> [str(charge.line(1000.0).amount) for charge in box.charges]
        ['10.00 EUR', '4.38 EUR', '5.00 EUR']
    """
    figures = {"vcpu": vcpu, "memory_gib": memory_gib, "life_months": life_months}
    for key, figure in figures.items():
        if not (math.isfinite(figure) and figure > 0):
            raise EconomicsError("PF604", name, f"{key} is {figure}", expected="above 0")
    refused = Offer(name, "own", name, "", (), why_not="")
    if max(1, int(vcpu // need.threads)) * need.memory_bytes > memory_gib * _GIB:
        return refused.because("its memory is too small")
    try:
        needed = instances_needed(need, vcpu, units=1.0)
    except EconomicsError as error:
        return refused.because(error.found)
    energy = replace(needed, units=watts / 1000.0 * HOURS_PER_MONTH)
    spread = Money(purchase.amount / Decimal(str(life_months)), purchase.currency)
    parts = (
        (f"{name}, purchase over {life_months:g} months", needed, "month", spread),
        (f"{name}, power", energy, "kWh", price_per_kwh),
        (f"{name}, hosting", needed, "month", hosting_per_month),
    )
    charges = tuple(
        Charge(
            Step.INFERENCE,
            what,
            quantity,
            unit,
            price,
            as_of=None,
            source="stated",
            measured=False,
            note=need.speed_note,
        )
        for what, quantity, unit, price in parts
    )
    return Offer(name, "own", name, "", charges)
