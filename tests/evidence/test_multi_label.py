"""Figures of any number of labels, restated by scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from payoff.core.errors import DataError
from payoff.evidence.multi_label import (
    average_precision,
    best_thresholds,
    cross_fitted_labels,
    measure_multi_label,
    rarest_label,
)


def drawn(seed: int, n: int = 40, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, k)) < rng.random(k)
    p = np.clip(np.where(truth, 0.55, 0.4) + rng.normal(size=(n, k)) * 0.2, 0.01, 0.99)
    return p.round(2) if seed % 2 else p, truth  # rounded: ties


@pytest.mark.parametrize("seed", range(6))
def test_as_scikit_learn_says(seed: int) -> None:
    p, truth = drawn(seed)
    said = p >= 0.5
    found = measure_multi_label(p, truth, said)
    seen = (truth | said).any(axis=0)
    f1 = metrics.f1_score(truth, said, average=None, zero_division=0.0)
    assert found.macro_f1 == pytest.approx(f1[seen].mean())
    assert found.micro_f1 == pytest.approx(metrics.f1_score(truth, said, average="micro"))
    assert found.sample_f1 == pytest.approx(
        metrics.f1_score(truth, said, average="samples", zero_division=1.0)
    )
    assert found.exact_match == pytest.approx(metrics.accuracy_score(truth, said))
    assert found.hamming_loss == pytest.approx(metrics.hamming_loss(truth, said))
    there = truth.any(axis=0)
    assert found.mean_average_precision == pytest.approx(
        np.mean([metrics.average_precision_score(truth[:, i], p[:, i]) for i in there.nonzero()[0]])
    )
    losses = [metrics.log_loss(truth[:, i], p[:, i], labels=[0, 1]) for i in range(5)]
    assert found.log_loss == pytest.approx(np.mean(losses))
    assert (found.n, found.n_labels) == (40, 5)


def test_rows_and_labels_without_anything() -> None:
    nothing = measure_multi_label(np.full((3, 2), 0.1), np.zeros((3, 2)), np.zeros((3, 2)))
    assert (nothing.micro_f1, nothing.sample_f1, nothing.exact_match) == (1.0, 1.0, 1.0)
    assert nothing.macro_f1 is None
    assert nothing.mean_average_precision is None
    assert nothing.as_dict()["macro_f1"] is None
    too_much = measure_multi_label(np.full((3, 2), 0.9), np.zeros((3, 2)), np.ones((3, 2)))
    assert (too_much.micro_f1, too_much.macro_f1, too_much.sample_f1) == (0.0, 0.0, 0.0)
    certain = measure_multi_label([[1.0]], [[0]], [[1]])
    assert certain.log_loss == pytest.approx(-np.log(1e-15))


def test_ties_are_one_threshold() -> None:
    assert average_precision([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 1]) == 0.5


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 30))
def test_no_other_threshold_is_better(seed: int, n: int) -> None:
    p, truth = drawn(seed, n, 2)
    cuts = best_thresholds(p, truth)
    for label, cut in enumerate(cuts):
        y = truth[:, label]
        if y.sum() < 2:
            assert cut == 0.5
            continue
        others = [f1(y, p[:, label] >= other) for other in p[:, label]]
        assert f1(y, p[:, label] >= cut) >= max(others) - 1e-12


def f1(truth: np.ndarray, said: np.ndarray) -> float:
    return float(2 * (truth & said).sum() / (truth.sum() + said.sum()))


def test_no_row_takes_part_in_its_own_threshold() -> None:
    p, truth = drawn(3, 30, 3)
    said = cross_fitted_labels(p, truth, seed=1)
    for row in range(30):
        other = truth.copy()
        other[row] = ~other[row]
        # Which rows are together may change with the labels, hence one label of one row a time.
        if (rarest_label(other) == rarest_label(truth)).all():
            again = cross_fitted_labels(p, other, seed=1)
            np.testing.assert_array_equal(again[row], said[row])
    np.testing.assert_array_equal(cross_fitted_labels(p, truth, seed=1), said)


def test_cross_fitting_does_not_flatter_noise() -> None:
    rng = np.random.default_rng(0)
    p, truth = rng.random((60, 30)), rng.random((60, 30)) < 0.1
    own = measure_multi_label(p, truth, p >= best_thresholds(p, truth))
    honest = measure_multi_label(p, truth, cross_fitted_labels(p, truth))
    assert own.macro_f1 is not None
    assert honest.macro_f1 is not None
    assert honest.macro_f1 < own.macro_f1 - 0.05


def test_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="PF106"):
        measure_multi_label(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2)))
    with pytest.raises(DataError, match="PF106"):
        cross_fitted_labels([[0.5]], [[1]])
    with pytest.raises(ValueError, match="do not fit"):
        measure_multi_label([[0.5]], [[1, 0]], [[1, 0]])
    with pytest.raises(ValueError, match="do not fit"):
        measure_multi_label([[0.5]], [[1]], [[1, 0]])
