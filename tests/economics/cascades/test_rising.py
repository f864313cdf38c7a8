"""Rising groups: fitted once or on many choices of rows, what comes is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from payoff.economics.cascades.rising import ManyGroups, RisingGroups


@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), ties=st.booleans())
@settings(max_examples=60, deadline=None)
def test_some_rows_are_fitted_as_scikit_learn_fits_them(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 9, n).astype(float) if ties else rng.normal(size=n)
    amounts, weights = rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    order = np.argsort(places, kind="stable")
    chosen = [rng.permutation(n)[: n // 2 + 1], np.arange(n)[1::2]]
    parts = [order[np.isin(order, some)] for some in chosen]
    groups = tuple(RisingGroups.of(places, weights, rows) for rows in parts)
    for one, rows, (knots, levels) in zip(
        groups, parts, ManyGroups(groups).fitted(amounts), strict=True
    ):
        expected = IsotonicRegression().fit(places[rows], amounts[rows], weights[rows])
        told = np.interp(places[rows], knots, levels)
        assert told == pytest.approx(expected.predict(places[rows]), abs=1e-9)
        alone = one.fitted(amounts)
        np.testing.assert_array_equal(alone[0], knots)
        np.testing.assert_allclose(alone[1], levels, atol=1e-12)


def test_many_rows_are_put_in_groups() -> None:
    places = np.sort(np.random.default_rng(0).normal(size=1000))
    groups = RisingGroups.of(places, np.ones(1000), np.arange(1000))
    assert len(groups.totals) == 128
    assert sum(groups.totals) == 1000
    assert (np.diff(groups.starts) >= 7).all()
