"""Blends: what they say, restated; what they learn, against a plain search; who may know what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import ALONE, Blend, Blends, fit_blend
from payoff.economics.cascades.cascade_search import best_cascade
from payoff.economics.outcome import realised

seeds = st.integers(0, 2**32 - 1)
exponents = st.floats(0.0, 3.0)


def loss(blend: Blend, before: Any, own: Any, truth: Any, shift: Any = 1.0) -> float:
    """Mean log loss behind the shift, row by row."""
    total = 0.0
    for b, o, y in zip(before, own, truth, strict=True):
        joined = [p**blend.before * q**blend.own for p, q in zip(b, o, strict=True)]
        weighed = np.array(joined) * shift
        total -= np.log(weighed[y] / weighed.sum())
    return total / len(truth)


@given(arrays(np.float64, (2, 4, 3), elements=st.floats(0.01, 1.0)), exponents, exponents)
def test_it_is_the_product_of_powers(raw: Any, before: float, own: float) -> None:
    said = raw / raw.sum(axis=2, keepdims=True)
    joined = Blend(before, own).of(*said)
    np.testing.assert_allclose(joined.sum(axis=1), 1.0)
    by_hand = said[0] ** before * said[1] ** own
    np.testing.assert_allclose(joined, by_hand / by_hand.sum(axis=1, keepdims=True))


def test_who_answers_alone_says_what_it_says() -> None:
    said = np.array([[0.0, 1.0]])
    assert ALONE.of(np.array([[1.0, 0.0]]), said) is said


def test_one_that_was_sure_of_something_else_leaves_numbers() -> None:
    joined = Blend(1.0, 1.0).of(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(joined, [[0.5, 0.5]])


@settings(max_examples=5, deadline=None)
@given(seeds, st.booleans())
def test_no_other_exponents_do_better(seed: int, shifted: bool) -> None:
    rng = np.random.default_rng(seed)
    truth, (before, own) = drawn(rng, 400, (1.5, 2.0))
    shift = rng.uniform(0.5, 2.0, 6) if shifted else None
    blend = fit_blend(before, own, truth, shift=shift, row_weights=np.ones(400))
    least = loss(blend, before, own, truth, 1.0 if shift is None else shift)
    for step in (0.1, -0.1):
        for other in (Blend(blend.before + step, blend.own), Blend(blend.before, blend.own + step)):
            assert loss(other, before, own, truth, 1.0 if shift is None else shift) > least


@settings(max_examples=5, deadline=None)
@given(seeds)
def test_models_that_err_apart_are_both_believed(seed: int) -> None:
    """Each is calibrated and sees the truth through noise of its own: Bayes multiplies them."""
    truth, (before, own) = drawn(np.random.default_rng(seed), 4000, (1.5, 2.0))
    blend = fit_blend(before, own, truth)
    assert blend.before == pytest.approx(1.0, abs=0.2)
    assert blend.own == pytest.approx(1.0, abs=0.2)


def test_what_says_nothing_new_is_left_out_or_next_to() -> None:
    truth, (said,) = drawn(np.random.default_rng(0), 2000, (2.0,))
    noise = np.random.default_rng(1).dirichlet(np.ones(6), 2000)
    assert fit_blend(noise, said, truth).before < 0.05
    assert fit_blend(said, said, truth).before <= 0.6, "a twin adds nothing"


def test_few_rows_hold_it_to_the_model_alone() -> None:
    truth, (before, own) = drawn(np.random.default_rng(2), 4, (1.5, 2.0))
    few, many = fit_blend(before, own, truth), 1.0
    assert abs(few.own - 1.0) < many
    assert few.before < many


def test_a_request_is_joined_by_what_did_not_know_it() -> None:
    """One Newton's step from the whole leads next to what the others alone would teach."""
    truth, said = drawn(np.random.default_rng(3), 400, (1.2, 1.6, 2.0))
    tiers = tiers_of(said, (0.0, 0.1, 0.2))
    blend, joined = Blends(truth).of(tiers[:2])
    apart = 0.0
    for inside in np.array_split(np.random.default_rng(0).permutation(400), 5):
        others = np.delete(np.arange(400), inside)
        exact = fit_blend(said[0][others], said[1][others], truth[others])
        np.testing.assert_allclose(
            joined[inside], exact.of(said[0][inside], said[1][inside]), atol=3e-3
        )
        apart = max(apart, np.abs(joined[inside] - blend.of(*(p[inside] for p in said[:2]))).max())
    assert apart > 6e-3, "what is deployed learnt from all"
    np.testing.assert_allclose(Blends(truth).of(tiers)[1].sum(axis=1), 1.0)


def test_joining_earns_more_from_new_requests() -> None:
    """A cheap model before a better one that errs apart: above the better one's own answers."""
    policy, leads = policy_of(wrong=-20.0), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth, said = drawn(rng, 300, (1.8, 2.2))
        new_truth, new_said = drawn(rng, 4000, (1.8, 2.2))
        found = best_cascade(tiers_of(said, (0.0, 0.001)), policy, truth, at_least=2)
        done = found.policy.answer(policy, 4000, lambda tier, rows, p=new_said: p[tier][rows])
        earned = realised(policy.values, new_truth, policy.decide(done.probabilities).actions)
        alone = realised(policy.values, new_truth, policy.decide(new_said[1]).actions)
        leads.append(earned.mean() - alone.mean())
    assert min(leads) > 0.5


@pytest.mark.parametrize(
    "wrong", [(-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf")), (1e308, 1.0)]
)
def test_exponents_that_are_none_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(EconomicsError, match="PF613"):
        Blend(*wrong)
