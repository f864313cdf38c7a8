"""Figures of numbers, restated by scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from payoff.core.errors import DataError
from payoff.evidence.regression import measure_regression


@pytest.mark.parametrize("seed", range(4))
def test_as_others_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=50) * 100
    said = truth + rng.normal(size=50) * 80
    found = measure_regression(said, truth, constant=3.0)
    assert found.mae == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert found.rmse == pytest.approx(metrics.mean_squared_error(truth, said) ** 0.5)
    assert found.r2 == pytest.approx(metrics.r2_score(truth, said))
    assert found.spearman == pytest.approx(stats.spearmanr(said, truth).statistic)
    assert found.constant_mae == pytest.approx(metrics.mean_absolute_error(truth, [3.0] * 50))
    assert found.as_dict()["n"] == 50


def test_constants_have_no_correlation() -> None:
    found = measure_regression([1.0, 2.0], [5.0, 5.0], constant=5.0)
    assert (found.r2, found.spearman, found.constant_mae) == (None, None, 0.0)
    assert measure_regression([1.0, 1.0], [5.0, 6.0], constant=0.0).spearman is None


def test_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="PF106"):
        measure_regression([], [], constant=0.0)
    with pytest.raises(ValueError, match="do not fit"):
        measure_regression([1.0], [1.0, 2.0], constant=0.0)
