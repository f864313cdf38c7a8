from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn import calibration as sk_calibration
from sklearn import metrics

from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError, DataError
from payoff.evidence.calibration import (
    classwise_ece,
    cross_fitted,
    ece,
    fit_temperature,
    reliability,
)


def drawn(seed: int, n: int, k: int, true_temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels are drawn at a known temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 3
    p = Calibration(true_temperature).apply(logits)
    return logits, (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 200), st.integers(2, 6), st.floats(0.3, 5))
def test_no_other_temperature_is_better(seed: int, n: int, k: int, true: float) -> None:
    logits, y = drawn(seed, n, k, true)

    def loss(log_temperature: float) -> float:
        p = Calibration(float(np.exp(log_temperature))).apply(logits)
        return float(-np.log(np.clip(p[np.arange(n), y], 1e-300, 1)).mean())

    found = fit_temperature(logits, y).temperature
    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    assert loss(np.log(found)) <= best.fun + 1e-9


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_finds_the_temperature_that_made_the_labels(true: float) -> None:
    logits, y = drawn(1, 20_000, 4, true)
    found = fit_temperature(logits, y)
    assert found.temperature == pytest.approx(true, rel=0.04)
    p = found.apply(logits)
    assert ece(p, y) < 0.02
    assert ece(p, y) <= ece(Calibration(true * 2).apply(logits), y)


def test_shifting_logits_changes_nothing() -> None:
    logits, y = drawn(2, 100, 3, 2.0)
    shifted = logits + np.arange(100)[:, None] * 1e3
    assert fit_temperature(shifted, y).temperature == pytest.approx(
        fit_temperature(logits, y).temperature, rel=1e-5
    )


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        ([[9.0, 0.0], [0.0, 9.0]], [0, 1], 0.05),  # perfect separation
        ([[9.0, 0.0], [9.0, 0.0]], [0, 0], 0.05),  # one label, always right
        ([[9.0, 0.0], [9.0, 0.0]], [1, 1], 20.0),  # one label, always wrong
        ([[0.0, 0.0], [0.0, 0.0]], [0, 1], 20.0),  # nothing known
        ([[1e6, 0.0], [0.0, 1e6], [1e6, 0.0]], [0, 1, 1], 20.0),  # huge
    ],
)
def test_degenerate_rows_stay_within_bounds(
    logits: list[list[float]], truth: list[int], expected: float
) -> None:
    assert fit_temperature(logits, truth).temperature == pytest.approx(expected)


def test_what_cannot_be_fitted() -> None:
    with pytest.raises(DataError, match="PF106"):
        fit_temperature(np.empty((0, 2)), [])
    with pytest.raises(AdaptError, match="PF402"):
        fit_temperature([[np.nan, 1.0]], [0])


def test_cross_fitting_never_uses_the_own_row() -> None:
    logits, y = drawn(3, 60, 3, 2.0)
    before = cross_fitted(logits, y, folds=5, seed=4)
    assert np.allclose(before.sum(axis=1), 1)
    assert np.array_equal(before, cross_fitted(logits, y, folds=5, seed=4))
    assert not np.array_equal(before, cross_fitted(logits, y, folds=5, seed=5))
    # Whatever else is in its fold, a row's own logits must not touch the others of that fold.
    changed = logits.copy()
    changed[7] *= 5
    after = cross_fitted(changed, y, folds=5, seed=4)
    same = np.isclose(before, after, atol=1e-12).all(axis=1)
    assert not same[7]
    assert 10 <= same.sum() <= 12


def test_cross_fitting_spreads_labels() -> None:
    y = np.array([0] * 50 + [1] * 2)
    logits = np.where(np.eye(2)[y] > 0, 1.0, 0.0)
    logits[50] = [2.0, 0.0]
    assert np.isfinite(cross_fitted(logits, y)).all()
    with pytest.raises(DataError, match="PF106"):
        cross_fitted(logits[:2], y[:2], folds=3)
    with pytest.raises(DataError, match="PF106"):
        cross_fitted(logits, y, folds=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 100), st.integers(2, 4))
def test_errors_restated(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.dirichlet(np.ones(k), n), rng.integers(0, k, n)

    def slow(confidence: np.ndarray, hit: np.ndarray, bins: int) -> float:
        total = 0.0
        for i in range(bins):
            inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
            if i == 0:
                inside |= confidence == 0
            if inside.any():
                total += inside.sum() / n * abs(hit[inside].mean() - confidence[inside].mean())
        return total

    assert ece(p, y) == pytest.approx(slow(p.max(axis=1), p.argmax(axis=1) == y, 15))
    assert classwise_ece(p, y, 7) == pytest.approx(
        np.mean([slow(p[:, j], y == j, 7) for j in range(k)])
    )


def test_reliability_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.dirichlet(np.ones(3), 500), rng.integers(0, 3, 500)
    bins = reliability(p, y)
    assert [b.low for b in bins] == pytest.approx(np.arange(10) / 10)
    assert sum(b.n for b in bins) == 500
    assert bins[0] == bins[0].__class__(0.0, 0.1, None, None, 0)
    filled = [b for b in bins if b.n]
    accuracy, confidence = sk_calibration.calibration_curve(
        p.argmax(axis=1) == y, p.max(axis=1), n_bins=10
    )
    assert [b.accuracy for b in filled] == pytest.approx(accuracy)
    assert [b.confidence for b in filled] == pytest.approx(confidence)


def test_confidence_of_one_and_zero_have_bins() -> None:
    bins = reliability([[1.0, 0.0], [1.0, 0.0]], [0, 1])
    assert bins[9].n == 2
    assert bins[9].as_dict() == {
        "low": 0.9,
        "high": 1.0,
        "confidence": 1.0,
        "accuracy": 0.5,
        "n": 2,
    }
    assert classwise_ece([[1.0, 0.0]], [0]) == 0.0


def test_perfect_probabilities_have_little_error() -> None:
    rng = np.random.default_rng(0)
    p1 = rng.random(50_000)
    y = (rng.random(50_000) < p1).astype(int)
    p = np.column_stack([1 - p1, p1])
    assert ece(p, y) < 0.01
    assert classwise_ece(p, y) < 0.015
    assert metrics.brier_score_loss(y, p1) == pytest.approx(1 / 6, abs=0.01)
