from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.learn.experiments.confidence_sequence import Interval, errors_wide, interval_of


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_brownian_motion_leaves_it_no_oftener_than_allowed(confidence: float) -> None:
    """A look at each of 400 times from 1/200 to twice the planned information."""
    rng = np.random.default_rng(5)
    n_looks, n_runs, planned = 400, 8000, 200.0
    steps = rng.normal(size=(n_runs, n_looks))
    information = np.arange(1, n_looks + 1)
    apart = np.abs(np.cumsum(steps, axis=1)) / np.sqrt(information)
    wide = np.array([errors_wide(float(i), planned, confidence) for i in information])
    left = (apart > wide).any(axis=1).mean()
    allowed = 1 - confidence
    assert left <= allowed + 2 * math.sqrt(allowed / n_runs)
    assert left >= allowed / 3  # and it is not needlessly wide


def test_the_planned_part_is_the_reflection_principle_restated() -> None:
    at_end = errors_wide(1000, 1000, 0.95)
    tail = 0.5 * math.erfc(at_end / math.sqrt(2))
    assert 4 * tail == pytest.approx(0.7 * 0.05, rel=1e-9)


def test_the_early_part_is_robbins_mixture_restated() -> None:
    error = 0.3 * 0.05
    ratios = np.linspace(1, 60, 60_000)
    narrowest = np.sqrt((1 + 1 / ratios) * np.log((1 + ratios) / error**2))
    assert errors_wide(125, 1000, 0.95) == pytest.approx(narrowest.min(), rel=1e-6)


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6), st.floats(1e-3, 1e3))
def test_only_the_part_of_the_plan_counts(information: float, planned: float, k: float) -> None:
    ours = errors_wide(information, planned, 0.95)
    assert errors_wide(k * information, k * planned, 0.95) == pytest.approx(ours, rel=1e-6)
    assert ours >= 2.376


@given(st.floats(-100, 100), st.floats(0.01, 10), st.floats(1, 1e5))
def test_more_confidence_is_wider(estimate: float, error: float, information: float) -> None:
    lengths = []
    for confidence in (0.8, 0.9, 0.95, 0.99):
        found = interval_of(estimate, error, information, planned=1e4, confidence=confidence)
        assert found.low <= estimate <= found.high
        lengths.append(found.high - found.low)
    assert lengths == sorted(lengths)


def test_nothing_is_known_without_information_or_error() -> None:
    assert interval_of(1.0, 1.0, 0.0, planned=10, confidence=0.95).low == -math.inf
    assert interval_of(1.0, math.inf, 5.0, planned=10, confidence=0.95).high == math.inf


def test_intervals_in_other_units_and_within_bounds() -> None:
    assert Interval(1.0, -1.0, 2.0).scaled(-3) == Interval(-3.0, -6.0, 3.0)
    assert Interval(0.0, -math.inf, math.inf).within(-28, 28) == Interval(0.0, -28, 28)
    assert Interval(0.0, -1.0, 1.0).as_dict() == {"estimate": 0.0, "low": -1.0, "high": 1.0}
