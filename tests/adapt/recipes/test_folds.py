from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.recipes.folds import folds


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=60),
    st.integers(2, 6),
    st.integers(0, 5),
)
def test_every_class_that_is_judged_is_known(classes: list[int], n_folds: int, seed: int) -> None:
    targets = np.array(classes)
    found = folds(targets, n_folds, seed=seed)
    counts = np.bincount(targets, minlength=7)
    assert ((found == -1) == (counts[targets] == 1)).all(), "a single row is never left out"
    for number in range(n_folds):
        out = found == number
        assert set(targets[out]) <= set(targets[~out])
        in_each = np.bincount(targets[out], minlength=7)
        assert (in_each <= np.ceil(counts / n_folds)).all()
    sizes = np.bincount(found[found >= 0], minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(found, folds(targets, n_folds, seed=seed))


def test_the_seed_decides_which_rows_go_together() -> None:
    targets = np.zeros(40, np.int64)
    assert not np.array_equal(folds(targets, 5, seed=0), folds(targets, 5, seed=1))
