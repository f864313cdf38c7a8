from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.learn.experiments.late_labels import counted_worth

NO = np.zeros(4, dtype=bool)


def test_what_is_known_counts_as_it_is_where_all_is_known() -> None:
    realised = np.array([3.0, -8.0, -25.0, 3.0])
    counted = counted_worth(np.full(4, 100.0), realised, NO, NO)
    assert counted.worth.tolist() == realised.tolist()
    assert counted.known == (1.0, 0.0)
    assert counted.uncorrected == 0.0


def test_where_nothing_is_known_the_model_s_word_counts_and_that_is_told() -> None:
    counted = counted_worth(np.arange(4.0), np.full(4, np.nan), NO, NO)
    assert counted.worth.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert counted.uncorrected == 1.0


def test_the_mean_is_the_model_s_corrected_by_what_is_known() -> None:
    expected = np.array([2.0, 1.0, 3.0, 2.0])
    realised = np.array([1.0, -2.0, np.nan, np.nan])
    counted = counted_worth(expected, realised, NO, NO)
    assert counted.worth.mean() == pytest.approx(expected.mean() + ((1 - 2) + (-2 - 1)) / 2)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(-20, 20), st.floats(-20, 20))
def test_a_boast_gains_nothing(seed: int, boast: float, boast_handed: float) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    treated, handed = rng.random(n) < 0.5, rng.random(n) < 0.2
    outcome = rng.normal(size=n)
    realised = np.where(rng.random(n) < 0.6, outcome, np.nan)
    honest = counted_worth(np.zeros(n), realised, treated, handed).worth
    claimed = np.where(handed, boast_handed, boast) * treated
    boasting = counted_worth(claimed, realised, treated, handed).worth
    known_all = all(
        np.isfinite(realised[(treated == t) & (handed == h)]).any()
        for t in (False, True)
        for h in (False, True)
    )
    if known_all:
        assert boasting == pytest.approx(honest, abs=1e-9)


def test_outcomes_known_at_random_give_the_right_mean_and_a_good_model_less_noise() -> None:
    rng = np.random.default_rng(0)
    n, means, rough = 400, [], []
    for _ in range(600):
        quality = rng.normal(size=n)
        outcome = quality + 0.3 * rng.normal(size=n)
        realised = np.where(rng.random(n) < 0.2, outcome, np.nan)
        none = np.zeros(n, dtype=bool)
        means.append(counted_worth(quality + 5, realised, none, none).worth.mean())
        rough.append(counted_worth(np.zeros(n), realised, none, none).worth.mean())
    assert np.mean(means) == pytest.approx(0.0, abs=4 * np.std(means) / np.sqrt(600))
    assert np.std(means) < 0.7 * np.std(rough)


def test_the_order_of_the_requests_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    expected, treated = rng.normal(size=50), rng.random(50) < 0.5
    realised = np.where(rng.random(50) < 0.5, rng.normal(size=50), np.nan)
    handed = rng.random(50) < 0.3
    order = rng.permutation(50)
    ours = counted_worth(expected, realised, treated, handed).worth
    other = counted_worth(expected[order], realised[order], treated[order], handed[order]).worth
    assert other == pytest.approx(ours[order])


def test_nothing_at_all() -> None:
    empty = np.empty(0)
    counted = counted_worth(empty, empty, empty.astype(bool), empty.astype(bool))
    assert len(counted.worth) == 0
    assert counted.known == (0.0, 0.0)
