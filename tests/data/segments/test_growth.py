from __future__ import annotations

import numpy as np
import pytest

from payoff.core.errors import DataError
from payoff.data.segments.growth import _mean_place, _place_variance, growth_of, months_of


@pytest.mark.parametrize("g", [-9.0, -0.5, 1e-5, 0.004, 0.02, 3.0])
def test_moments_restated_by_integration(g: float) -> None:
    u = (np.arange(200_000) + 0.5) / 200_000
    density = np.exp(g * u)
    density /= density.mean()
    mean = (u * density).mean()
    assert _mean_place(g) == pytest.approx(mean, abs=1e-7)
    assert _place_variance(g) == pytest.approx(((u - mean) ** 2 * density).mean(), abs=1e-6)


@pytest.mark.parametrize("rate", [-0.1, 0.0, 0.05, 0.25])
def test_growth_is_found_again_and_lies_in_its_interval(rate: float) -> None:
    months, g = 12.0, np.log1p(rate)
    inside = 0
    for seed in range(60):
        u = np.random.default_rng(seed).random(400)
        times = u * months if g == 0 else np.log1p(u * np.expm1(g * months)) / g
        found = growth_of(times, 0.0, months)
        assert found is not None
        inside += found.low <= rate <= found.high
    assert inside >= 46  # of 54 expected: 3 standard deviations below
    assert found.per_month == pytest.approx(rate, abs=0.04)


def test_few_rows_or_a_short_window_tell_no_growth() -> None:
    assert growth_of(np.linspace(0, 12, 9), 0, 12) is None
    assert growth_of(np.linspace(0, 0.5, 50), 0, 0.5) is None


def test_rows_at_one_end_give_a_finite_rate() -> None:
    found = growth_of(np.full(20, 12.0), 0.0, 12.0)
    assert found is not None
    assert np.isfinite([found.per_month, found.low, found.high]).all()


def test_times_are_dates_or_told_to_be_of_no_unit() -> None:
    assert months_of(["1700000000", "1700000001"], "when") is None
    with pytest.raises(DataError, match="PF109"):
        months_of(["2025-01-01", "yesterday"], "when")
