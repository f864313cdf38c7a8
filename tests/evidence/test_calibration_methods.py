"""Vector, isotonic and Venn–Abers against their definitions, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.isotonic import IsotonicRegression

from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError, DataError
from payoff.evidence.calibration import fit_temperature
from payoff.evidence.calibration_methods import (
    CALIBRATIONS,
    fit_isotonic,
    fit_vector,
    fit_venn_abers,
)
from payoff.evidence.quality import log_losses

Array = NDArray[np.float64]


def rows(seed: int, n: int, k: int) -> tuple[Array, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    return rng.normal(0, 1, (n, k)) + 2.0 * np.eye(k)[truth], truth


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
@pytest.mark.parametrize(("n", "k"), [(1, 2), (5, 3), (300, 2), (300, 7)])
def test_every_method_gives_probabilities_and_survives_its_file(name: str, n: int, k: int) -> None:
    z, y = rows(0, n, k)
    fitted = CALIBRATIONS[name](z, y)
    assert fitted.method == name
    p = fitted.apply(rows(1, 50, k)[0] * 4)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p >= 0).all()
    assert np.isfinite(log_losses(p, rows(1, 50, k)[1])).all()
    again = Calibration.from_json(fitted.to_json())
    assert again == fitted
    np.testing.assert_array_equal(again.apply(z), fitted.apply(z))


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
def test_every_method_refuses_what_it_cannot_fit(name: str) -> None:
    with pytest.raises(DataError, match="PF106"):
        CALIBRATIONS[name](np.empty((0, 3)), np.empty(0))
    with pytest.raises(AdaptError, match="PF402"):
        CALIBRATIONS[name]([[np.nan, 1.0]], [0])


@pytest.mark.parametrize("name", sorted(CALIBRATIONS))
@pytest.mark.parametrize("k", [2, 5])
def test_relabelling_changes_no_probability(name: str, k: int) -> None:
    z, y = rows(2, 200, k)
    order = np.random.default_rng(0).permutation(k)
    one = CALIBRATIONS[name](z, y).apply(z)
    other = CALIBRATIONS[name](z[:, order], np.argsort(order)[y]).apply(z[:, order])
    np.testing.assert_allclose(other, one[:, order], atol=1e-6)


def test_vector_finds_the_minimum_that_scipy_finds() -> None:
    z, y = rows(3, 400, 4)
    z = z * np.array([1.0, 2.0, 0.5, 1.0]) + np.array([0.0, 1.0, 0.0, -1.0])
    temperature = fit_temperature(z, y).temperature
    logs = log_softmax(z / temperature, axis=1)

    def loss(numbers: Array) -> float:
        scaled = log_softmax(logs * numbers[:4] + numbers[4:], axis=1)
        prior = ((numbers[:4] - 1) / 0.25) ** 2 / 2, (numbers[4:] / 0.5) ** 2 / 2
        return float(-scaled[np.arange(400), y].sum() + sum(one.sum() for one in prior))

    best = minimize(loss, np.r_[np.ones(4), np.zeros(4)], method="BFGS")
    found = fit_vector(z, y)
    assert loss(np.r_[found.scales, found.biases]) <= best.fun + 1e-6
    np.testing.assert_allclose(np.r_[found.scales, found.biases], best.x, atol=1e-3)


def test_vector_undoes_a_bias_that_temperature_cannot() -> None:
    z, y = rows(4, 3000, 3)
    tilted = z + np.array([3.0, 0.0, 0.0])
    new_z, new_y = rows(5, 3000, 3)
    told = new_z + np.array([3.0, 0.0, 0.0])
    vector = log_losses(fit_vector(tilted, y).apply(told), new_y).mean()
    plain = log_losses(fit_temperature(tilted, y).apply(told), new_y).mean()
    untilted = log_losses(fit_temperature(z, y).apply(new_z), new_y).mean()
    assert untilted < vector < untilted + 0.03
    assert plain > vector + 0.3


def test_vector_does_not_mind_what_is_added_to_a_row() -> None:
    z, y = rows(6, 200, 3)
    offset = np.random.default_rng(0).normal(0, 50, (200, 1))
    one, other = fit_vector(z, y), fit_vector(z + offset, y)
    np.testing.assert_allclose(other.apply(z), one.apply(z), atol=1e-6)
    np.testing.assert_allclose(one.apply(z + offset), one.apply(z), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 80), st.booleans())
def test_isotonic_is_scikit_learns(seed: int, n: int, ties: bool) -> None:
    z, y = rows(seed, n, 3)
    z = z.round() if ties else z
    fitted = fit_isotonic(z, y)
    p = Calibration(fitted.temperature).apply(z).round(9)
    for label in range(3):
        hit = y == label
        x, height = (np.array(part) for part in fitted.curves[label])
        found = np.interp(p[:, label], x, height)
        if not hit.any():
            np.testing.assert_allclose(found, p[:, label], atol=1e-7)
            continue
        expected = IsotonicRegression().fit(p[:, label], hit).predict(p[:, label])
        np.testing.assert_allclose(found, (n * expected + p[:, label]) / (n + 1), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40), st.booleans())
def test_venn_abers_is_two_isotonic_regressions_with_the_row_added(
    seed: int, n: int, ties: bool
) -> None:
    z, y = rows(seed, n, 3)
    z = z.round() if ties else z
    fitted = fit_venn_abers(z, y)
    p = Calibration(fitted.temperature).apply(z).round(9)
    for label in range(3):
        x, height = (np.array(part) for part in fitted.curves[label])
        hit = (y == label).astype(float)
        # where the curve is computed: ends of runs are always among these places
        ends = [p[:, label].min(), p[:, label].max(), *p[hit > 0, label]]
        for score in ends:
            low, high = (
                IsotonicRegression()
                .fit(np.append(p[:, label], score), np.append(hit, added))
                .predict([score])[0]
                for added in (0.0, 1.0)
            )
            if not _inside_a_run_of_hits(p[:, label], hit, score):
                expected = high / (1 - low + high)
                assert np.interp(score, x, height) == pytest.approx(expected, abs=1e-5)


def _inside_a_run_of_hits(scores: Array, hit: Array, score: float) -> bool:
    """Whether both neighbours are hits too: there the curve may be read between its knots."""
    distinct = np.unique(scores)
    place = int(np.searchsorted(distinct, score))
    near = distinct[max(0, place - 1) : place + 2]
    return len(near) == 3 and all(hit[scores == one].min() == 1 for one in near)


def test_venn_abers_by_hand() -> None:
    """A miss, then two hits: added as a miss, the first hit pools to 1/2; as a hit, it is 1."""
    z = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    fitted = fit_venn_abers(z, [1, 0, 0])
    p = Calibration(fitted.temperature).apply(z)[:, 0]
    found = np.interp(p, *fitted.curves[0])
    # p0: (0 + 0)/2 = 0, (1 + 0)/2, (1 + 1 + 0)/3 = 2/3;  p1: 1/2, 1, 1
    expected = [0.5 / 1.5, 1 / 1.5, 1 / (1 - 2 / 3 + 1)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_curves_mend_what_temperature_cannot() -> None:
    """Two labels, a score that says little of the frequency: a curve learns the frequency."""
    rng = np.random.default_rng(0)

    def drawn(n: int) -> tuple[Array, NDArray[np.int64]]:
        x = rng.uniform(-3, 3, n)
        frequency = np.where(x > 1, 0.9, np.where(x > -1, 0.55, 0.05))
        return np.column_stack([np.zeros(n), x]), (rng.random(n) < frequency).astype(np.int64)

    (z, y), (new_z, new_y) = drawn(3000), drawn(3000)
    plain = log_losses(fit_temperature(z, y).apply(new_z), new_y).mean()
    for fit in (fit_isotonic, fit_venn_abers):
        assert log_losses(fit(z, y).apply(new_z), new_y).mean() < plain - 0.01


def test_many_labels_are_applied_quickly() -> None:
    """150 labels, one request: one look-up on one axis, not 150."""
    z, y = rows(0, 600, 150)
    fitted = fit_isotonic(z, y)
    import time

    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        fitted.apply(z[:1])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.001
