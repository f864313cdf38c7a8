from __future__ import annotations

import numpy as np
import pytest

from payoff.adapt.recipes.linear import fit_logistic
from payoff.core.errors import AdaptError

ROWS = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


def test_classes_between_others_may_be_missing() -> None:
    targets = np.array([1, 4, 5])[np.arange(30) % 3]
    logits = fit_logistic(ROWS, targets, n_labels=7, strength=10.0)(ROWS)
    assert logits.shape == (30, 7)
    assert logits.dtype == np.float32
    alone = fit_logistic(ROWS, np.arange(30) % 3, n_labels=3, strength=10.0)
    np.testing.assert_array_equal(logits[:, [1, 4, 5]], alone(ROWS))
    absent = logits[:, [0, 2, 3, 6]]
    assert np.ptp(absent) == 0
    assert absent[0, 0] == pytest.approx(logits[:, [1, 4, 5]].min() - 1)


def test_two_classes_of_three_are_told_apart() -> None:
    targets = np.where(ROWS[:, 0] > 0, 2, 0)
    head = fit_logistic(ROWS, targets, n_labels=3, strength=1e4)
    np.testing.assert_array_equal(head(ROWS).argmax(axis=1), targets)


@pytest.mark.parametrize(("targets", "found"), [([3, 3], "1 of 5 labels occurs"), ([], "0 of 5")])
def test_one_class_is_too_few(targets: list[int], found: str) -> None:
    with pytest.raises(AdaptError, match=rf"PF405.*{found}"):
        fit_logistic(ROWS[: len(targets)], np.array(targets, np.int64), n_labels=5, strength=1.0)


def test_as_many_classes_as_rows_is_not_warned_of() -> None:
    head = fit_logistic(ROWS, np.arange(30), n_labels=30, strength=10.0)
    np.testing.assert_array_equal(head(ROWS).argmax(axis=1), np.arange(30))
