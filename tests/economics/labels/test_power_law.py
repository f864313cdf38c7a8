"""Power laws through points: an exact posterior against one summed in another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payoff.economics.labels.power_law import chi_square_bound, fit_power_laws

SIZES = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])


def test_the_law_is_found_where_there_is_no_noise() -> None:
    means = 4.0 - 7.0 * SIZES**-0.6
    (law,) = fit_power_laws([SIZES], [means], np.eye(5) * 1e-10, ceiling=None, seed=0)
    assert law.exponent.mean() == pytest.approx(0.6, abs=0.001)
    assert law.level.mean() == pytest.approx(4.0, abs=0.01)
    assert law.scale.mean() == pytest.approx(7.0, abs=0.1)
    assert law.misfit < 0.01
    assert law.rise > 1e6


def test_the_posterior_is_that_of_a_sum_over_a_fine_grid() -> None:
    """Starts, gains and exponents on a grid, each weighted by its likelihood: no algebra."""
    rng = np.random.default_rng(3)
    noise = 0.08
    means = 3.0 - 8.0 * SIZES**-0.5 + rng.normal(0, noise, 5)
    (law,) = fit_power_laws([SIZES], [means], np.eye(5) * noise**2, ceiling=3.4, seed=0)
    total = np.zeros(2)
    for c in np.arange(0.05, 2.001, 0.05):
        spans = SIZES[0] ** -c - SIZES**-c
        start, gain = np.meshgrid(np.linspace(1.5, 2.9, 141), np.linspace(0, 1.6, 161))
        line = start[..., None] + gain[..., None] * spans / spans[-1]
        b = gain / spans[-1]
        level = start + b * SIZES[0] ** -c
        weight = np.exp(-0.5 * (((line - means) / noise) ** 2).sum(axis=2)) * (level <= 3.4)
        at_double = level - b * (2 * SIZES[-1]) ** -c
        total += np.array([weight.sum(), (weight * at_double).sum()])
    found = law.level - law.scale * (2 * SIZES[-1]) ** -law.exponent
    assert found.mean() == pytest.approx(total[1] / total[0], abs=0.01)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=5, max_size=5),
    st.floats(0.01, 2.0),
    st.integers(0, 5),
)
@example([0.0, 0.0, -2.0, -2.0, 1.0], 0.015625, 0)  # laws that are left out are likelier by far
def test_no_law_falls_or_ends_above_the_ceiling(
    means: list[float], noise: float, seed: int
) -> None:
    (law,) = fit_power_laws(
        [SIZES], [np.array(means)], np.eye(5) * noise**2, ceiling=3.0, seed=seed
    )
    assert (law.scale >= 0).all()
    assert (law.level <= 3.0).all()
    assert ((law.exponent > 0) & (law.exponent <= 2.0)).all()
    assert law.rise >= -1e-6


@pytest.mark.parametrize(("freedom", "bound"), [(1, 3.841), (2, 5.991), (5, 11.070)])
def test_the_bound_is_that_of_the_tables(freedom: int, bound: float) -> None:
    assert chi_square_bound(freedom, 1.6449) == pytest.approx(bound, rel=0.03)
