"""Energy: restated by hand, every factor dated and sourced."""

from __future__ import annotations

import pytest

from payoff.core.errors import EconomicsError
from payoff.economics.energy import Factor, _tables, energy_of, grid, power


def test_by_hand() -> None:
    # two hours of one processor at 5 W: 0.01 kWh; at 400 g/kWh: 4 g
    used = energy_of(7200.0, Factor(5.0, None, "stated"), Factor(400.0, None, "stated"))
    assert used.kwh == pytest.approx(0.01)
    assert used.grams == pytest.approx(4.0)
    assert used.as_dict() == {"cpu_s": 7200.0, "kwh": used.kwh, "grams_co2e": used.grams}


def test_without_a_place_there_is_no_carbon() -> None:
    assert energy_of(10.0, power()).grams is None


def test_every_factor_has_a_day_and_a_source() -> None:
    keys = [(f["kind"], f["place"], f["as_of"]) for f in _tables()]
    assert len(set(keys)) == len(keys)
    for table in _tables():
        assert table["source"]
        assert Factor(table["value"], table["as_of"], table["source"]).value > 0
    assert power().value == pytest.approx(3.5 * 1.135)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_bad_figures(wrong: float) -> None:
    with pytest.raises(EconomicsError, match="PF604"):
        energy_of(wrong, power())
    with pytest.raises(EconomicsError, match="PF604"):
        Factor(wrong, None, "stated")
    with pytest.raises(EconomicsError, match="PF601"):
        grid("XX")
