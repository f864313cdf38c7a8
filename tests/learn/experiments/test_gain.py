from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.learn.experiments.gain import LEAST_CUSTOMERS, gain_of, spread_of
from payoff.learn.experiments.requests import Requests, drawn
from payoff.learn.experiments.tally import Tally, tally_of


def cells(requests: Requests, *, covariate: bool = False) -> Tally:
    return tally_of(
        requests.customer,
        requests.stage,
        requests.treated,
        value=requests.realised,
        covariate=requests.earlier if covariate else None,
    )


def test_it_is_the_difference_of_means_where_there_is_one_stage() -> None:
    requests = drawn(900, gain=0.7)
    found = gain_of(cells(requests))
    worth, treated = requests.realised, requests.treated
    assert found.gain == pytest.approx(worth[treated].mean() - worth[~treated].mean())
    n_treated = treated.sum()
    assert found.information == pytest.approx(n_treated * (900 - n_treated) / 900)
    assert found.spread == pytest.approx(found.standard_error * math.sqrt(found.information))


def test_its_error_is_that_of_means_of_customers_that_come_once() -> None:
    rng = np.random.default_rng(3)
    n = 5000
    worth, treated = rng.normal(0, 4, n), rng.random(n) < 0.3
    once = Tally(np.arange(n), np.zeros(n, int), treated, np.ones(n), worth)
    a, b = worth[treated], worth[~treated]
    usual = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    assert gain_of(once).standard_error == pytest.approx(usual, rel=2e-3)


def test_its_error_is_found_by_drawing_customers_again() -> None:
    """The bootstrap over customers, restated without any formula."""
    rng = np.random.default_rng(1)
    n_customers = 300
    treated = rng.random(n_customers) < 0.4
    n_each = rng.geometric(0.2, n_customers)
    customer = np.repeat(np.arange(n_customers), n_each)
    worth = rng.normal(size=n_customers)[customer] * 2 + rng.normal(size=len(customer))
    found = gain_of(
        tally_of(customer, np.zeros(len(customer), int), treated[customer], value=worth)
    )
    total = np.bincount(customer, worth)
    drawn_again = []
    for _ in range(3000):
        one = rng.integers(0, n_customers, n_customers)
        t, c = one[treated[one]], one[~treated[one]]
        means = [total[g].sum() / n_each[g].sum() for g in (t, c)]
        drawn_again.append(means[0] - means[1])
    assert found.standard_error == pytest.approx(np.std(drawn_again), rel=0.1)
    alone = gain_of(
        tally_of(np.arange(len(customer)), 0 * customer, treated[customer], value=worth)
    )
    assert alone.standard_error < 0.7 * found.standard_error  # as if they were independent


def test_stages_are_compared_within_themselves() -> None:
    """Everything is worth 10 more in the second stage, in which more are treated."""
    rng = np.random.default_rng(0)
    n = 4000
    stage = np.repeat([0, 1], n // 2)
    bucket = rng.random(800)
    customer = rng.integers(0, 800, n)
    treated = bucket[customer] < np.array([0.05, 0.5])[stage]
    worth = rng.normal(size=n) + 10 * stage
    found = gain_of(tally_of(customer, stage, treated, value=worth))
    assert abs(found.gain) < 4 * found.standard_error
    naive = worth[treated].mean() - worth[~treated].mean()
    assert naive > 2


def test_a_covariate_takes_away_noise_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    kind = rng.normal(size=n)
    treated = rng.random(n) < 0.5
    worth = 3 * kind + rng.normal(size=n) + 0.5 * treated
    plain = Tally(np.arange(n), np.zeros(n, int), treated, np.ones(n), worth)
    found = gain_of(replace(plain, covariate=kind))
    assert found.cut == pytest.approx(0.9, abs=0.03)
    assert found.standard_error < 0.4 * gain_of(plain).standard_error
    assert abs(found.gain - 0.5) < 4 * found.standard_error
    useless = gain_of(replace(plain, covariate=np.zeros(n)))
    assert useless.gain == gain_of(plain).gain
    assert useless.cut == 0.0


def test_what_is_unseen_counts_as_one_more_request_of_each_arm() -> None:
    n = 400
    treated = np.arange(n) % 4 == 0
    same = Tally(np.arange(n), np.zeros(n, int), treated, np.ones(n), np.ones(n))
    assert gain_of(same).standard_error == pytest.approx(0.0, abs=1e-12)
    found = gain_of(same, unseen=(8.0, 6.0))
    assert found.standard_error == pytest.approx(math.hypot(8 / 300, 6 / 100))
    assert found.spread == pytest.approx(0.0, abs=1e-9)


def test_pairs_of_the_shadow_are_compared_as_pairs() -> None:
    rng = np.random.default_rng(0)
    n = 500
    hard = rng.normal(size=n) * 10
    better = 0.3 + 0.1 * rng.normal(size=n)
    customer = np.tile(np.arange(n), 2)
    treated = np.repeat([False, True], n)
    found = gain_of(
        tally_of(customer, 0 * customer, treated, value=np.concatenate([hard, hard + better]))
    )
    assert found.gain == pytest.approx(better.mean())
    assert found.standard_error == pytest.approx(better.std() / math.sqrt(n), rel=0.02)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_other_money_other_labels_of_arms(seed: int, scale: float, shift: float) -> None:
    requests = drawn(400, gain=0.5, seed=seed)
    ours = gain_of(cells(requests))
    scaled = gain_of(cells(replace(requests, realised=scale * requests.realised + shift)))
    assert scaled.gain == pytest.approx(scale * ours.gain, rel=1e-6, abs=1e-9)
    assert scaled.standard_error == pytest.approx(scale * ours.standard_error, rel=1e-6)
    other = gain_of(cells(replace(requests, treated=~requests.treated)))
    assert other.gain == pytest.approx(-ours.gain)
    assert other.standard_error == pytest.approx(ours.standard_error)
    assert other.information == pytest.approx(ours.information)


def test_with_few_customers_nothing_is_known() -> None:
    n = 2 * LEAST_CUSTOMERS
    treated = np.arange(n) % 2 == 0
    enough = Tally(np.arange(n), np.zeros(n, int), treated, np.ones(n), np.ones(n))
    assert math.isfinite(gain_of(enough).standard_error)
    treated[0] = False
    assert gain_of(enough).standard_error == math.inf
    nobody = Tally(np.arange(n), np.zeros(n, int), np.zeros(n, bool), np.ones(n), np.ones(n))
    assert gain_of(nobody).information == 0.0
    empty = np.empty(0)
    nothing = tally_of(
        empty.astype(int), empty.astype(int), empty.astype(bool), value=empty, covariate=empty
    )
    assert gain_of(nothing).standard_error == math.inf


def test_customers_with_numbers_far_apart_are_added_up_too() -> None:
    customer = np.array([5_000_000, 5_000_000, 7])
    found = tally_of(customer, 0 * customer, customer > 7, value=np.array([1.0, 2.0, 4.0]))
    assert found.customer.tolist() == [7, 5_000_000]
    assert found.value.tolist() == [4.0, 3.0]
    assert found.requests.tolist() == [1.0, 2.0]


def test_the_spread_foretells_the_error() -> None:
    requests = drawn(3000)
    found = gain_of(cells(requests))
    assert spread_of(requests.realised, requests.customer) == pytest.approx(found.spread, rel=0.05)
    assert spread_of(np.empty(0), np.empty(0, dtype=np.int64)) == math.inf
