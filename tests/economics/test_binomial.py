from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from payoff.economics.binomial import binomial_tail, rows_needed, upper_bound


@given(n=st.integers(0, 3000), share=st.floats(0, 1), rate=st.floats(1e-4, 0.999))
@settings(deadline=None)
def test_equals_scipy(n: int, share: float, rate: float) -> None:
    errors = int(share * n)
    expected = stats.binom.cdf(errors, n, rate)
    assert binomial_tail(errors, n, rate) == pytest.approx(expected, rel=1e-6, abs=1e-250)


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (1, 10), (3, 299), (40, 1000), (9, 10)])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.999])
def test_the_bound_is_clopper_and_pearsons(errors: int, n: int, confidence: float) -> None:
    expected = stats.beta.ppf(confidence, errors + 1, n - errors)
    assert upper_bound(errors, n, confidence) == pytest.approx(expected, rel=1e-8)
    assert binomial_tail(errors, n, expected) == pytest.approx(1 - confidence, rel=1e-6)


def test_no_row_tells_nothing() -> None:
    assert binomial_tail(0, 0, 0.1) == 1.0
    assert upper_bound(0, 0, 0.95) == 1.0


def test_rows_needed_by_hand() -> None:
    # 0.99 ** 298 = 0.05003, 0.99 ** 299 = 0.0495
    assert rows_needed(0.01, 0.95) == 299
    assert rows_needed(0.05, 0.95) == 59
    assert rows_needed(0.5, 0.75) == 2
    assert rows_needed(0.01, 0.95, error_rate=0.01) is None


@given(
    at_most=st.floats(0.005, 0.5), confidence=st.floats(0.55, 0.99), relative=st.floats(0.0, 0.7)
)
@settings(deadline=None, max_examples=50)
def test_rows_needed_are_enough(at_most: float, confidence: float, relative: float) -> None:
    rate = relative * at_most
    n = rows_needed(at_most, confidence, error_rate=rate)
    assert n is not None
    assert upper_bound(int(n * rate), n, confidence) <= at_most + 1e-9
