from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.present_classes import fit_present
from payoff.core.errors import AdaptError


def logistic(vectors: NDArray[Any], targets: NDArray[np.int64], n_labels: int) -> LinearHead:
    return fit_logistic(vectors, targets, n_labels=n_labels, strength=10.0)


ROWS = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


def test_where_all_classes_occur_it_is_the_fit_itself() -> None:
    targets = np.arange(30) % 3
    plain = logistic(ROWS, targets, 3)
    head = fit_present(ROWS, targets, n_labels=3, fit=logistic)
    np.testing.assert_array_equal(head.weight, plain.weight)
    np.testing.assert_array_equal(head.bias, plain.bias)


def test_classes_between_others_may_be_missing() -> None:
    targets = np.array([1, 4, 5])[np.arange(30) % 3]
    head = fit_present(ROWS, targets, n_labels=7, fit=logistic)
    logits = head(ROWS)
    assert logits.shape == (30, 7)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits[:, [1, 4, 5]], logistic(ROWS, np.arange(30) % 3, 3)(ROWS))
    absent = logits[:, [0, 2, 3, 6]]
    assert np.ptp(absent) == 0
    assert absent[0, 0] == pytest.approx(logits[:, [1, 4, 5]].min() - 1)


@pytest.mark.parametrize(("targets", "found"), [([3, 3], "1 of 5 labels occurs"), ([], "0 of 5")])
def test_one_class_is_too_few(targets: list[int], found: str) -> None:
    with pytest.raises(AdaptError, match=rf"PF405.*{found}"):
        fit_present(ROWS[: len(targets)], np.array(targets, np.int64), n_labels=5, fit=logistic)


def test_as_many_classes_as_rows_is_not_warned_of() -> None:
    head = fit_present(ROWS, np.arange(30), n_labels=30, fit=logistic)
    np.testing.assert_array_equal(head(ROWS).argmax(axis=1), np.arange(30))
