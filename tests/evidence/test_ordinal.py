"""Figures of grades, restated by scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from payoff.core.errors import DataError
from payoff.evidence.ordinal import measure_ordinal, quadratic_kappa
from payoff.evidence.ranks import average_ranks, spearman


@pytest.mark.parametrize("seed", range(5))
def test_as_others_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(5), 60)
    truth = np.array([rng.choice(5, p=row) for row in p])
    said = p.argmax(1)
    found = measure_ordinal(p, truth, said)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert found.mae_grades == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert found.within_one == pytest.approx((np.abs(said - truth) < 2).mean())
    assert found.quadratic_kappa == pytest.approx(
        metrics.cohen_kappa_score(truth, said, weights="quadratic", labels=range(5))
    )
    assert found.spearman == pytest.approx(stats.spearmanr(p @ np.arange(5), truth).statistic)
    assert found.log_loss == pytest.approx(metrics.log_loss(truth, p, labels=range(5)))
    assert found.as_dict()["n"] == 60


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 6, 40)
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values))
    assert spearman(values, -values) == -1.0
    assert spearman([1.0, 1.0], [1.0, 2.0]) is None


def test_one_grade_alone_has_no_agreement_beyond_chance() -> None:
    p = np.tile([0.2, 0.8], (3, 1))
    found = measure_ordinal(p, [1, 1, 1], [1, 1, 1])
    assert (found.quadratic_kappa, found.spearman, found.mae_grades) == (None, None, 0.0)
    assert quadratic_kappa([0, 2], [2, 0], 3) == -1.0


def test_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="PF106"):
        measure_ordinal(np.empty((0, 2)), [], [])
    for said in ([0, 1], [2], [-1]):
        with pytest.raises(ValueError, match="do not fit"):
            measure_ordinal([[0.5, 0.5]], [0], said)
