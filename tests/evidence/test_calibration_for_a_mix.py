"""Calibration where requests to come have another mix than the rows that it is fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from payoff.artifact.calibration import Calibration
from payoff.evidence.calibration import classwise_ece, fit_temperature
from payoff.evidence.calibration_choice import choose_calibration
from payoff.evidence.calibration_methods import CALIBRATIONS, fit_vector

Array = NDArray[np.float64]
SHIFT = np.array([0.3, 1.0, 4.0])


def drawn(seed: int, n: int = 400) -> tuple[Array, NDArray[np.int64]]:
    """Logits of a model that hides its last label, and knows little of it."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    noise = np.where(y == 2, 2.0, 0.8)[:, None] * rng.normal(size=(n, 3))
    return 3 * (np.eye(3)[y] + noise) - [0.0, 0.0, 1.5], y


def loss(calibration: Calibration, z: Array, y: NDArray[np.int64], shift: Array) -> float:
    """Mean loss behind the shift, rows weighted by how often their labels will occur."""
    p = calibration.apply(z) * shift
    p /= p.sum(axis=1, keepdims=True)
    weights = shift[y] / shift[y].mean()
    return float(-(weights * np.log(p[np.arange(len(y)), y])).mean())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0.1, 10), min_size=3, max_size=3))
def test_no_other_temperature_is_better_behind_the_shift(seed: int, shift: list[float]) -> None:
    (z, y), behind = drawn(seed), np.array(shift)
    found = fit_temperature(z, y, shift=shift)
    best = minimize_scalar(
        lambda t: loss(Calibration(float(t)), z, y, behind), bounds=(0.05, 20), method="bounded"
    )
    assert loss(found, z, y, behind) <= best.fun + 1e-6


def test_vector_finds_the_minimum_that_scipy_finds() -> None:
    z, y = drawn(1)
    found = fit_vector(z, y, shift=SHIFT)
    logs = np.log(Calibration(found.temperature).apply(z))
    weights = SHIFT[y] / SHIFT[y].mean()

    def penalised(numbers: Array) -> float:
        scaled = logs * numbers[:3] + numbers[3:] + np.log(SHIFT)
        losses = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(y)), y]
        prior = ((numbers[:3] - 1) ** 2).sum() / 0.25**2 + (numbers[3:] ** 2).sum() / 0.5**2
        return float((weights * losses).sum() + prior / 2)

    best = minimize(penalised, np.array([1.0, 1, 1, 0, 0, 0]), method="BFGS").x
    np.testing.assert_allclose([*found.scales, *found.biases], best, atol=1e-3)


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_a_shift_of_one_is_none(name: str) -> None:
    z, y = drawn(2)
    plain = CALIBRATIONS[name](z, y).apply(z)
    np.testing.assert_allclose(
        CALIBRATIONS[name](z, y, shift=np.full(3, 2.0)).apply(z), plain, atol=1e-7
    )


@pytest.mark.parametrize("name", ["temperature", "vector"])
def test_repeating_rows_is_weighting_them(name: str) -> None:
    """A shift of whole numbers is as good as so many copies of the rows, and that shift behind."""
    z, y = drawn(3)
    times = np.array([1, 2, 5])
    copies = np.repeat(np.arange(len(y)), times[y])
    weighted = CALIBRATIONS[name](z, y, shift=times)
    # Copies have the shift in their own frequencies, so that nothing is to be weighted any more:
    # what is left is the shift behind, which adding its logarithm to the logits does.
    if name == "temperature":
        best = minimize_scalar(
            lambda t: (
                -np.log(
                    _softmax(z[copies] / t + np.log(times))[np.arange(len(copies)), y[copies]]
                ).mean()
            ),
            bounds=(0.05, 20),
            method="bounded",
        )
        assert weighted.temperature == pytest.approx(best.x, rel=1e-3)
    assert loss(weighted, z, y, times.astype(float)) < loss(
        CALIBRATIONS[name](z, y), z, y, times.astype(float)
    )


def _softmax(z: Array) -> Array:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def test_a_label_that_will_not_occur_is_no_trouble() -> None:
    z, y = drawn(4)
    choice = choose_calibration(z, y, shift=[1.0, 1.0, 0.0])
    assert all(np.isfinite(f.log_loss) for f in choice.report.compared)
    assert np.isfinite(choice.probabilities).all()
    none_left = fit_temperature(z[y == 2], y[y == 2], shift=[1.0, 1.0, 0.0])
    assert none_left == fit_temperature(z[y == 2], y[y == 2])


def test_figures_are_those_of_the_requests_to_come() -> None:
    z, y = drawn(5, 1500)
    shifted = choose_calibration(z, y, shift=SHIFT)
    figures = {f.method: f for f in shifted.report.compared}
    assert figures["vector"].log_loss < figures["none"].log_loss
    fitted = shifted.probabilities * SHIFT
    fitted /= fitted.sum(axis=1, keepdims=True)
    weights = SHIFT[y] / SHIFT[y].mean()
    own = figures[shifted.report.method]
    assert own.log_loss == pytest.approx(-(weights * np.log(fitted[np.arange(len(y)), y])).mean())
    assert own.brier == pytest.approx((weights * ((fitted - np.eye(3)[y]) ** 2).sum(axis=1)).mean())
    assert own.classwise_ece == pytest.approx(classwise_ece(fitted, y, weights=weights))


def test_new_requests_of_that_mix_are_told_better() -> None:
    gains = []
    for seed in range(8):
        (z, y), new = drawn(seed), drawn(100 + seed, 4000)
        plain, shifted = fit_temperature(z, y), fit_temperature(z, y, shift=SHIFT)
        gains.append(loss(plain, *new, SHIFT) - loss(shifted, *new, SHIFT))
    assert np.mean(gains) > 0.005
    assert np.mean(gains) > 2 * np.std(gains) / np.sqrt(len(gains))


def test_weights_of_the_calibration_error_are_copies_of_rows() -> None:
    z, y = drawn(7, 120)
    p = _softmax(z)
    times = np.random.default_rng(0).integers(1, 5, len(y))
    copies = np.repeat(np.arange(len(y)), times)
    assert classwise_ece(p, y, weights=times) == pytest.approx(classwise_ece(p[copies], y[copies]))
