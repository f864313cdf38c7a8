"""Energy of answering: restated by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from payoff.economics.energy import Factor, power
from payoff.evidence.latency import Latency
from payoff.plan.answering_energy import cpu_seconds, energy_section
from payoff.plan.report.energy_reading import read_energy


def tier(texts_per_s: float, *, threads: int = 2, kind: str = "onnx", name: str = "m") -> Any:
    latency = Latency(1.0, 2.0, texts_per_s, 64, 100, threads) if texts_per_s else None
    return SimpleNamespace(
        name=name, spec=SimpleNamespace(kind=kind), evidence=SimpleNamespace(latency=latency)
    )


def workshop(meter: Any) -> Any:
    return SimpleNamespace(
        run=SimpleNamespace(meter=meter),
        terms=SimpleNamespace(traffic=SimpleNamespace(per_month=40_000.0)),
    )


def test_each_model_counts_by_the_share_that_it_is_asked_about() -> None:
    # 2 threads for 1/400 s, and 2 threads for 1/100 s of every fourth request
    assert cpu_seconds([tier(400.0), tier(100.0)], (1.0, 0.25)) == pytest.approx(0.01)
    asked = [tier(400.0), tier(2.0, kind="endpoint")]
    assert cpu_seconds(asked, (1.0, 0.5)) == pytest.approx(0.005), "somebody else's processors"


@pytest.mark.parametrize("unknown", [tier(0.0), tier(400.0, threads=0)])
def test_what_was_not_timed_is_not_known(unknown: Any) -> None:
    assert cpu_seconds([tier(400.0), unknown], (1.0, 0.5)) is None


def test_a_month_of_the_likely_requests_with_what_the_founder_states() -> None:
    stated = Factor(10.0, None, "stated"), Factor(400.0, None, "stated")
    terms = SimpleNamespace(watts_per_cpu=stated[0], grams_per_kwh=stated[1])
    chosen: Any = SimpleNamespace(tiers=(tier(200.0),))
    section = energy_section(chosen, workshop(SimpleNamespace(terms=terms)))
    # 40,000 requests of 0.01 s are 400 s; at 10 W 4,000 J, a 900th of a kWh
    assert section["month"]["cpu_s"] == pytest.approx(400.0)
    assert section["month"]["kwh"] == pytest.approx(1 / 900)
    assert section["month"]["grams_co2e"] == pytest.approx(400 / 900)
    assert "0.00111 kWh, 0.444 g CO2e (10 W a processor: stated)" in read_energy(
        {"energy": section}
    )


def test_without_books_the_sourced_factor_counts_and_carbon_is_not_known() -> None:
    chosen: Any = SimpleNamespace(tiers=(tier(200.0),))
    section = energy_section(chosen, workshop(None))
    assert section["watts_per_cpu"] == power().value
    assert section["watts_source"].endswith(f"({power().as_of})")
    assert section["month"]["grams_co2e"] is None
    assert "carbon not known" in read_energy({"energy": section})
    paid: Any = SimpleNamespace(tiers=(tier(1.0, kind="endpoint", name="gpt"),))
    assert "What gpt takes is not known." in read_energy(
        {"energy": energy_section(paid, workshop(None))}
    )
    unknown: Any = SimpleNamespace(tiers=(tier(0.0),))
    assert energy_section(unknown, workshop(None))["month"] is None
