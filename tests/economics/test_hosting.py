"""Hosting: the bill of instances, functions and one's own machine, restated by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, PayoffError, Problems
from payoff.core.files import to_json
from payoff.core.money import Money
from payoff.economics.charge import PerInstance, PerScaledInstance
from payoff.economics.costs import Step
from payoff.economics.hosting import Hosting, cheapest, hosting_options
from payoff.economics.instance import instances_needed, latency_alone_ms, owned
from payoff.economics.platform import platforms
from payoff.economics.prices import ExchangeRates, Price, PriceBook
from payoff.economics.queueing import LATE_AT_MOST, late_share
from payoff.economics.requirement import Requirement
from payoff.economics.serverless import ordered
from payoff.economics.traffic import SECONDS_PER_MONTH, Traffic

TODAY = date(2026, 11, 22)
NEED = Requirement(
    texts_per_s=100.0, single_latency_ms=8.0, memory_bytes=200 * 2**20, package_bytes=50e6,
    start_s=0.5, peak_factor=4.0, request_bytes=300.0, response_bytes=200.0,
)  # fmt: skip
TRAFFIC = Traffic(1_000_000)


def fact(kind: str, item: str, price: str, unit: str, **more: Any) -> Price:
    known: dict[str, Any] = {
        "provider": "aws", "service": "ec2", "currency": "USD", "as_of": TODAY, "source": "s",
        "region": "r",
    }  # fmt: skip
    return Price(kind=kind, item=item, price=Decimal(price), unit=unit, **(known | more))


SMALL = fact("instance", "small", "0.10", "hour", vcpu=Decimal(2), memory_gib=Decimal(4))
EGRESS = fact("egress_gb", "out", "0.09", "gb", service="transfer")
DISK = fact("object_storage_gb_month", "disk", "0.02", "gb_month", service="s3")
REQUESTS = fact("serverless_request", "request", "0.0000002", "request", service="lambda")
MEMORY = fact("serverless_gb_second", "x86", "0.00001", "gb_second", service="lambda")


def options(*facts: Price, need: Requirement = NEED, **more: Any) -> list[Hosting]:
    arguments: dict[str, Any] = {"currency": "USD", "on": TODAY} | more
    return hosting_options(PriceBook(facts), need, TRAFFIC, **arguments)


def by_step(hosting: Hosting, requests: float) -> dict[Step, float]:
    costs = hosting.cost_by_step(np.array([requests]))
    return {step: float(cost[0]) for step, cost in costs.items()}


# --- instances --------------------------------------------------------------------------------


def test_instance_bill_by_hand() -> None:
    (hosting,) = options(SMALL, EGRESS, DISK)
    # 100 texts/s at 60 %: 60/s at the peak, 15/s on average; 20/s on average need two
    requests = 20 * 730 * 3600.0
    cost = by_step(hosting, requests)
    assert cost[Step.INFERENCE] == pytest.approx(2 * 730 * 0.10)
    assert cost[Step.TRANSFER] == pytest.approx(requests * 500e-9 * 0.09)
    assert cost[Step.STORAGE] == pytest.approx((0.05 + requests * 500e-9 * 12) * 0.02)
    assert hosting.meets_limits
    assert hosting.notes == ()


@given(requests=st.floats(0, 1e10))
@settings(max_examples=40, deadline=None)
def test_lines_add_up_to_the_cost(requests: float) -> None:
    for hosting in options(SMALL, EGRESS, DISK, REQUESTS, MEMORY):
        total = sum((line.amount for line in hosting.lines(requests)), Money.of(0, "USD"))
        cost = float(hosting.cost_per_month(np.array([requests]))[0])
        assert float(total) == pytest.approx(cost, rel=1e-9)


@given(requests=st.floats(1, 1e10), more=st.floats(1, 3))
@settings(max_examples=40, deadline=None)
def test_more_requests_never_cost_less_on_instances(requests: float, more: float) -> None:
    (hosting,) = options(SMALL, EGRESS, DISK)
    few, many = hosting.cost_per_month(np.array([requests, requests * more]))
    assert many >= few * (1 - 1e-12)


def test_size_speed_and_redundancy_scale_the_instances() -> None:
    at_peak = SECONDS_PER_MONTH / 4.0
    large = instances_needed(NEED, 8.0, units=1.0)
    assert large.limits / at_peak == pytest.approx([240.0])
    fast = instances_needed(replace(NEED, speed_ratio=1.5), 2.0, units=1.0)
    assert fast.limits / at_peak == pytest.approx([90.0])
    twice = instances_needed(replace(NEED, redundancy=2), 2.0, units=1.0)
    assert twice.count(np.array([1.0])).tolist() == [2]


def test_the_latency_limit_adds_instances_until_waiting_holds_it() -> None:
    need = replace(NEED, latency_limit_ms=15.0)  # one text alone takes 8 ms
    rented = instances_needed(need, 2.0, units=1.0)
    plain = instances_needed(NEED, 2.0, units=1.0)
    assert len(rented.limits) > 1

    def late(peak: float, servers: int) -> float:
        return late_share(peak, 10.0, servers, limit_ms=15.0, alone_p95_ms=8.0)

    for n, limit in enumerate(rented.limits, start=1):
        peak = limit / SECONDS_PER_MONTH * 4.0
        assert late(peak, n) <= LATE_AT_MOST + 1e-9
        assert limit <= n * plain.limits[0] * (1 + 1e-12)
    # one more request a second at the peak and more than 5 % would be late
    first = rented.limits[0] / SECONDS_PER_MONTH * 4.0
    assert late(first + 1.0, 1) > LATE_AT_MOST
    # beyond, utilisation is what binds
    assert rented.limits[-1] == pytest.approx(len(rented.limits) * plain.limits[0])


def test_requests_that_come_together_need_more_instances() -> None:
    need = replace(NEED, latency_limit_ms=15.0)
    month = np.array([1e4, 1e6, 1e8])
    alone = instances_needed(need, 2.0, units=1.0).count(month)
    together = instances_needed(replace(need, at_once=4.0), 2.0, units=1.0).count(month)
    assert (together >= alone).all()
    assert together[0] > alone[0]
    with pytest.raises(EconomicsError, match="PF604"):
        replace(need, at_once=0.5)


def test_a_limit_that_one_text_alone_just_holds_has_an_end() -> None:
    rented = instances_needed(replace(NEED, latency_limit_ms=8.0), 2.0, units=1.0)
    assert 10 < len(rented.limits) < 200


def test_a_text_that_alone_is_too_slow_is_refused() -> None:
    (hosting,) = options(SMALL, need=replace(NEED, latency_limit_ms=7.0))
    assert not hosting.meets_limits
    assert "8.0 ms" in hosting.why_not
    assert latency_alone_ms(NEED, 1.0) == 16.0
    with pytest.raises(EconomicsError, match="PF617"):
        hosting.cost_per_month(np.array([1.0]))


def test_too_little_memory_and_unknown_sizes_are_refused() -> None:
    tight = replace(SMALL, item="tight", memory_gib=Decimal("0.1"))
    blank = replace(SMALL, item="blank", vcpu=None)
    reasons = {hosting.item: hosting.why_not for hosting in options(tight, blank)}
    assert "memory is too small" in reasons["tight"]
    assert "processors" in reasons["blank"]


def test_monthly_prices_and_other_currencies() -> None:
    euros = replace(SMALL, provider="hetzner", currency="EUR", unit="month", price=Decimal(10))
    rates = ExchangeRates.of("USD", {"EUR": "1.10"}, as_of=TODAY, source="ECB")
    (hosting,) = options(euros, rates=rates)
    assert by_step(hosting, 1000.0)[Step.INFERENCE] == pytest.approx(11.0)
    assert "exchanged from 10 EUR" in hosting.lines(1.0)[0].note
    assert len(hosting.notes) == 2  # neither traffic nor storage is priced
    (refused,) = options(euros)
    assert not refused.meets_limits
    assert "EUR" in refused.why_not
    (refused,) = options(euros, rates=ExchangeRates("USD"))
    assert "no rate from EUR" in refused.why_not


def test_only_the_providers_asked_for() -> None:
    other = replace(SMALL, provider="gcp")
    assert {h.provider for h in options(SMALL, other, providers=["gcp"])} == {"gcp"}


def test_prices_of_another_region_are_said_and_the_dearest_counts() -> None:
    tiers = [
        replace(EGRESS, region="far"),
        replace(EGRESS, region="far", item="o2", price=Decimal(1)),
    ]
    (hosting,) = options(SMALL, *tiers)
    transfer = next(line for line in hosting.lines(1e6) if line.step is Step.TRANSFER)
    assert (transfer.unit_price, "price of far" in transfer.note) == (Money.of(1, "USD"), True)


def test_what_is_assumed_is_said_in_the_lines() -> None:
    need = replace(NEED, request_bytes=None)
    (hosting,) = options(SMALL, EGRESS, DISK, need=need)
    notes = {line.what: (line.measured, line.note) for line in hosting.lines(1e6)}
    assert notes["bytes in and out"][0] is False
    assert "sizes assumed" in notes["bytes in and out"][1]
    assert notes["small rented"] == (False, "assumed: as fast as the machine measured on")
    (sure,) = options(SMALL, need=replace(NEED, speed_ratio=1.0))
    assert sure.lines(1.0)[0].measured


# --- serverless -------------------------------------------------------------------------------


def test_function_bill_by_hand() -> None:
    (hosting,) = options(REQUESTS, MEMORY)
    # 200 MiB bring 200 / 1769 processors; 8 ms with two threads take 8 * 2 * 1769 / 200 = 142 ms
    run_ms = math.ceil(8 * 2 * 1769 / 200)
    start_ms = 500 * 2 * 1769 / 200
    cold_s = (math.ceil(8 * 2 * 1769 / 200 + start_ms) - run_ms) / 1000
    requests = 10_000.0
    cold = requests * math.exp(-requests / SECONDS_PER_MONTH * 300)
    gb = 200 / 1024
    expected = requests * 2e-7 + requests * gb * run_ms / 1000 * 1e-5 + cold * gb * cold_s * 1e-5
    assert by_step(hosting, requests)[Step.INFERENCE] == pytest.approx(expected)
    assert "free tier left out" in hosting.lines(requests)[1].note
    assert "(assumed)" in hosting.lines(requests)[1].note
    assert "package size limit not checked" not in hosting.lines(requests)[1].note
    assert any("journal needs a database" in note for note in hosting.notes)


def test_processors_ordered_apart_are_billed_apart() -> None:
    facts = [
        replace(fact_, provider="gcp", service="cloud-run")
        for fact_ in (
            REQUESTS,
            MEMORY,
            fact("serverless_vcpu_second", "v", "0.00002", "vcpu_second"),
        )
    ]
    (hosting,) = options(*facts)
    requests = 1e9  # no cold starts
    # one processor: 16 ms, billed as 100; at least 512 MiB
    expected = requests * (2e-7 + 0.1 * 0.5 * 1e-5 + 0.1 * 1 * 2e-5)
    assert by_step(hosting, requests)[Step.INFERENCE] == pytest.approx(expected)
    assert "package size limit not checked" in hosting.lines(requests)[1].note


def test_more_memory_is_ordered_where_it_must_be_faster() -> None:
    lambda_ = platforms()["aws", "lambda"]
    plain, quick = ordered(lambda_, NEED), ordered(lambda_, replace(NEED, latency_limit_ms=20.0))
    assert plain is not None
    assert quick is not None
    assert (plain.memory_mib, quick.memory_mib) == (200, 1600)
    assert quick.duration_ms == pytest.approx(8 * 2 * 1769 / 1600)
    hopeless = ordered(lambda_, replace(NEED, latency_limit_ms=1.0))
    assert hopeless is not None
    assert hopeless.memory_mib == 6400  # two processors, and no faster with more


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"memory_bytes": 11_000 * 2**20}, "more than its 10240 MiB"),
        ({"package_bytes": 300e6}, "package is too large: 300 MB"),
        ({"latency_limit_ms": 1.0}, "one text alone takes"),
        ({"latency_limit_ms": 500.0}, "cold start"),
    ],
)
def test_functions_that_break_a_limit(change: dict[str, float], reason: str) -> None:
    rare = Traffic(1000)
    (hosting,) = hosting_options(
        PriceBook((REQUESTS, MEMORY)), replace(NEED, **change), rare, currency="USD", on=TODAY  # type: ignore[arg-type]
    )  # fmt: skip
    assert reason in hosting.why_not


def test_cold_starts_do_not_matter_where_traffic_is_dense() -> None:
    (hosting,) = options(REQUESTS, MEMORY, need=replace(NEED, latency_limit_ms=500.0))
    assert hosting.meets_limits


def test_services_that_cannot_be_priced_are_listed_with_the_reason() -> None:
    unknown = [replace(f, service="functions-of-yore") for f in (REQUESTS, MEMORY)]
    (first,) = options(*unknown)
    assert "not known" in first.why_not
    (second,) = options(MEMORY)
    assert "no price of a request" in second.why_not
    (third,) = options(REQUESTS, MEMORY, currency="EUR")
    assert "USD" in third.why_not
    with pytest.raises(EconomicsError, match="PF616") as caught:
        cheapest([first, second, third], 1000.0)
    assert "no price of a request" in str(caught.value)


def test_platforms_round_as_they_say() -> None:
    azure, run = platforms()["azure", "functions"], platforms()["gcp", "cloud-run"]
    assert (azure.billed_ms(3.0), azure.billed_ms(100.2)) == (100, 101)
    assert (run.memory_mib(1.0), run.memory_mib(5e9), run.processors(512)) == (512, None, 1.0)


# --- one's own machine, choosing, and the built-in book ---------------------------------------


def own(**more: Any) -> Any:
    arguments: dict[str, Any] = {
        "name": "box", "vcpu": 2, "memory_gib": 8, "purchase": Money.of(720, "USD"),
        "life_months": 36, "watts": 40, "price_per_kwh": Money.of("0.25", "USD"),
        "hosting_per_month": Money.of(9, "USD"),
    }  # fmt: skip
    return owned(more.pop("need", NEED), **(arguments | more))


def test_own_machine_by_hand() -> None:
    offer = own()
    cost = sum(float(charge.cost(np.array([1e6]))[0]) for charge in offer.charges)
    assert cost == pytest.approx(720 / 36 + 0.040 * 730 * 0.25 + 9)
    many = sum(float(charge.cost(np.array([1e8]))[0]) for charge in offer.charges)
    count = math.ceil(1e8 / SECONDS_PER_MONTH * 4 / 60)
    assert many == pytest.approx(count * cost)
    assert not any(charge.measured for charge in offer.charges)


def test_own_machines_that_cannot_do_it() -> None:
    assert "memory" in own(memory_gib=0.1).why_not
    assert "8.0 ms" in own(need=replace(NEED, latency_limit_ms=2.0)).why_not
    with pytest.raises(EconomicsError, match="PF604 box"):
        own(life_months=0)


def test_the_cheapest_depends_on_the_volume() -> None:
    both = options(replace(SMALL, price=Decimal("0.005")), EGRESS, DISK, REQUESTS, MEMORY)
    assert cheapest(both, 1000.0).item == "x86"  # 3.65 a month against a few cents
    assert cheapest(both, np.array([[2e7, 3e7]])).item == "small"
    assert to_json(both[0].as_dict())
    steps = both[0].steps(1e9)
    assert isinstance(both[0].charges[0].quantity, PerInstance)
    assert np.all(np.diff(steps) > 0)
    assert Hosting("n", "p", "i", "", currency="USD", charges=()).steps(9.0).size == 0
    with pytest.raises(EconomicsError, match="none was offered"):
        cheapest([], 1.0)


def test_the_built_in_book_offers_something_everywhere() -> None:
    rates = ExchangeRates.of("USD", {"EUR": 1.1, "CNY": 0.14}, as_of=TODAY, source="test")
    need = replace(NEED, latency_limit_ms=100.0)
    book = PriceBook.builtin()
    listed = hosting_options(book, need, TRAFFIC, currency="USD", rates=rates, on=TODAY)
    usable = [option for option in listed if option.meets_limits]
    assert {"aws", "gcp", "azure", "hetzner"} <= {option.provider for option in usable}
    assert all(option.why_not for option in listed if not option.priced)
    assert float(cheapest(listed, 1e6).cost_per_month(np.array([1e6]))[0]) < 50


@pytest.mark.parametrize(
    "change",
    [
        {"texts_per_s": 0.0}, {"single_latency_ms": -1.0}, {"memory_bytes": math.nan},
        {"peak_factor": 0.5}, {"latency_limit_ms": 0.0}, {"target_utilisation": 0.95},
        {"speed_ratio": 0.0}, {"redundancy": 0}, {"request_bytes": -1.0},
    ],
)  # fmt: skip
def test_impossible_measurements_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PayoffError, match="PF604 requirement"):
        replace(NEED, **change)


def test_all_impossible_measurements_are_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        replace(NEED, texts_per_s=-1, threads=0)
    assert len(caught.value.problems) == 2
    assert NEED.assumptions == ("priced machine as fast as this one",)


@pytest.mark.parametrize("currency", ["EUR", "CNY", "USD"])
def test_without_rates_the_builtin_book_refuses_what_it_cannot_price(currency: str) -> None:
    need = Requirement(
        texts_per_s=200.0, single_latency_ms=5.0, memory_bytes=2e8, package_bytes=3e7,
        start_s=0.5, peak_factor=4.0,
    )  # fmt: skip
    options = hosting_options(
        PriceBook.builtin(), need, Traffic(40_000), currency=currency, on=date(2026, 11, 22)
    )
    assert options
    for option in options:
        assert option.currency == currency
        assert option.priced or option.why_not
    if currency != "CNY":  # the book knows no complete offer in yuan
        assert cheapest(options, 40_000.0).charges


# --- scaled by the hour ---------------------------------------------------------------------------


def test_a_scaled_machine_costs_what_each_hour_needs() -> None:
    hours = tuple(float(h) for h in (np.arange(24) % 12 + 1))
    need = replace(NEED, by_hour=hours, peak_factor=12 / float(np.mean(hours)))
    plain, by_hour = options(SMALL, need=need)
    assert by_hour.name == f"{plain.name}, scaled by the hour"
    requests = 60 * SECONDS_PER_MONTH  # 60 a second on average; one instance takes 60
    each = [math.ceil(60 * hour / float(np.mean(hours)) / 60 - 1e-12) for hour in hours]
    assert by_step(by_hour, requests)[Step.INFERENCE] == pytest.approx(np.mean(each) * 73.0)
    assert by_step(plain, requests)[Step.INFERENCE] == pytest.approx(max(each) * 73.0)
    assert [h.name for h in options(SMALL)] == [plain.name]  # the hours are not known
    monthly = replace(SMALL, unit="month", price=Decimal(10))
    assert len(options(monthly, need=need)) == 1


@given(
    hours=st.lists(st.floats(0, 50), min_size=24, max_size=24).filter(any),
    requests=st.lists(st.floats(0, 1e9), min_size=1, max_size=5),
    redundancy=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_scaling_never_costs_more_and_is_the_mean_of_its_hours(
    hours: list[float], requests: list[float], redundancy: int
) -> None:
    months = np.array(requests)
    need = replace(NEED, latency_limit_ms=20.0, redundancy=redundancy)
    pool = instances_needed(need, 2.0, units=2.0)
    mean = PerScaledInstance(pool, tuple(hours))
    by_hand = np.mean([pool(months * hour / max(hours)) for hour in hours], axis=0)
    assert mean(months) == pytest.approx(by_hand, rel=0.02)
    assert (mean(months) <= pool(months) + 1e-9).all()
    jumps = mean.steps(float(months.max()))
    assert (np.diff(jumps) > 0).all()


# --- prices in units that buy something else ------------------------------------------------------


def test_a_machine_sold_by_the_week_is_refused_and_not_taken_by_the_hour() -> None:
    week = fact("instance", "weekly", "0.01", "week", vcpu=Decimal(2), memory_gib=Decimal(4))
    hosts = {option.item: option for option in options(week, SMALL, EGRESS, DISK)}
    assert not hosts["weekly"].priced
    assert "a price per week is no rent" in hosts["weekly"].why_not
    assert hosts["small"].priced


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (replace(EGRESS, unit="tb"), "traffic cannot be priced: a price per tb"),
        (replace(DISK, unit="tb_month"), "storage cannot be priced: a price per tb_month"),
    ],
)
def test_bytes_sold_by_another_measure_are_not_taken_for_gb(odd: Price, told: str) -> None:
    others = [fact for fact in (EGRESS, DISK) if fact.kind != odd.kind]
    (host,) = options(SMALL, odd, *others)
    assert not host.priced
    assert told in host.why_not


def test_functions_sold_by_another_measure_are_refused() -> None:
    thousands = replace(REQUESTS, unit="thousand_requests")
    (host,) = options(thousands, MEMORY, EGRESS, DISK)
    assert not host.priced
    assert "a price per thousand_requests" in host.why_not
