from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from payoff.core.errors import DataError
from payoff.evidence.quality import confusion, measure_quality


def example(seed: int, n: int, k: int, *, rounded: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.5), n)
    if rounded:
        p = np.round(p * 4 + 0.25) / 4
        p /= p.sum(axis=1, keepdims=True)
    return p, rng.integers(0, k, n)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 80), st.integers(2, 5), st.booleans())
def test_equals_scikit_learn(seed: int, n: int, k: int, rounded: bool) -> None:
    p, y = example(seed, n, k, rounded=rounded)
    y[:k] = range(k)
    found = measure_quality(p, y)
    labels = list(range(k))
    predicted = p.argmax(axis=1)
    assert found.n == n
    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, predicted))
    assert found.macro_f1 == pytest.approx(
        metrics.f1_score(y, predicted, average="macro", zero_division=0)
    )
    one_hot = np.eye(k)[y]
    expected = np.mean([metrics.roc_auc_score(one_hot[:, j], p[:, j]) for j in labels])
    assert found.auc == pytest.approx(expected)
    assert found.brier == pytest.approx(((p - one_hot) ** 2).sum(axis=1).mean())
    of_truth = np.clip(p[np.arange(n), y], 1e-15, 1)
    assert found.log_loss == pytest.approx(-np.log(of_truth).mean())
    if (p > 1e-15).all():
        assert found.log_loss == pytest.approx(metrics.log_loss(y, p, labels=labels))
    assert (
        confusion(y, predicted, k) == metrics.confusion_matrix(y, predicted, labels=labels)
    ).all()


def test_by_hand() -> None:
    p = [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]]
    found = measure_quality(p, [1, 1, 2])
    assert found.accuracy == pytest.approx(2 / 3)  # a tie goes to the first label
    assert found.macro_f1 == pytest.approx((0 + 2 / 3 + 1) / 3)
    assert found.log_loss == pytest.approx((np.log(2) + 0 + np.log(2)) / 3)
    assert found.brier == pytest.approx((0.5 + 0 + 0.375) / 3)
    assert found.auc == pytest.approx((1.0 + 1.0) / 2)


def test_one_label_only_has_no_auc() -> None:
    found = measure_quality([[0.9, 0.1], [0.8, 0.2]], [0, 0])
    assert found.auc is None
    assert found.macro_f1 == 1.0
    assert found.as_dict()["auc"] is None


def test_all_scores_equal_is_half() -> None:
    assert measure_quality(np.full((10, 2), 0.5), [0, 1] * 5).auc == 0.5


def test_certain_and_wrong_is_finite() -> None:
    assert measure_quality([[1.0, 0.0]], [1]).log_loss == pytest.approx(-np.log(1e-15))


def test_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="PF106"):
        measure_quality(np.empty((0, 2)), [])
    for p, y in [([[1.0, 0.0]], [2]), ([[1.0, 0.0]], [-1]), ([1.0], [0]), ([[1.0, 0]], [0, 0])]:
        with pytest.raises(ValueError, match="do not fit"):
            measure_quality(p, y)
