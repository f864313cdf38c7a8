"""The mix of labels among requests whose labels nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.label_mix import estimated_mix
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

Array = NDArray[np.float64]
LABELS = ("a", "b", "c")


def requests(mix: list[float], n: int, seed: int, trained: Array) -> tuple[Array, Array]:
    """Posteriors under the training mix of requests that come in another one, and their truths."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=mix)
    centres = np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])
    x = centres[truth] + rng.normal(0, 1, (n, 2))
    likelihood = np.exp(-((x[:, None] - centres) ** 2).sum(axis=2) / 2)
    p = likelihood * trained
    return p / p.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("mix", [[0.8, 0.1, 0.1], [0.02, 0.49, 0.49], [1 / 3, 1 / 3, 1 / 3]])
@pytest.mark.parametrize("trained", [[1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]])
def test_finds_the_mix_that_requests_come_in(mix: list[float], trained: list[float]) -> None:
    p, truth = requests(mix, 20_000, 0, np.array(trained))
    found = estimated_mix(p, LABELS, training_mix=trained)
    np.testing.assert_allclose(found, np.bincount(truth) / len(truth), atol=0.015)
    # counting the most probable labels, the usual way, is off where the mix has changed much
    counted = np.bincount(p.argmax(axis=1), minlength=3) / len(p)
    if max(mix) > 0.5:
        assert np.abs(counted - mix).sum() > np.abs(found - mix).sum()


def test_it_is_a_fixed_point_of_saerens_eq_2_9() -> None:
    trained = np.array([0.5, 0.3, 0.2])
    p, _ = requests([0.2, 0.2, 0.6], 500, 1, trained)
    mix = estimated_mix(p, LABELS, training_mix=trained)
    again = p * mix / trained
    again /= again.sum(axis=1, keepdims=True)
    np.testing.assert_allclose((again.sum(axis=0) + trained) / 501, mix, atol=1e-6)


def test_it_makes_the_likelihood_greatest() -> None:
    trained = np.full(3, 1 / 3)
    p, _ = requests([0.2, 0.2, 0.6], 500, 2, trained)
    mix = estimated_mix(p, LABELS, training_mix=trained)

    def told(shares: Array) -> float:
        return float(np.log((p * shares / trained).sum(axis=1)).sum() + trained @ np.log(shares))

    rng = np.random.default_rng(0)
    for _ in range(50):
        other = mix * np.exp(rng.normal(0, 0.05, 3))
        assert told(other / other.sum()) <= told(mix) + 1e-6


def test_with_it_the_policy_is_calibrated_again() -> None:
    """Saerens et al. 2002, eq. 2.4 with eq. 2.9, end to end and without a label of the new mix."""
    trained = np.full(3, 1 / 3)
    p, truth = requests([0.7, 0.2, 0.1], 20_000, 3, trained)
    worth = Payoff(correct=1.0, wrong=-3.0, handoff=-0.5, currency="USD")
    mix = estimated_mix(p, LABELS, training_mix=trained)
    shifted = Policy.from_payoff(worth, LABELS, expected_mix=mix, training_mix=trained)
    told = shifted.shifted(p)
    for label in range(3):
        high = told[:, label] > 0.5
        assert abs(told[high, label].mean() - (truth[high] == label).mean()) < 0.02
    plain = Policy.from_payoff(worth, LABELS)
    values = [policy.values[truth, policy.decide(p).actions].mean() for policy in (plain, shifted)]
    assert values[1] > values[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_always_shares_above_zero(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.1), n)
    mix = estimated_mix(p, LABELS, training_mix=[5, 3, 2])
    assert mix.sum() == pytest.approx(1)
    assert (mix > 0).all()
    assert (mix >= 0.999 * np.array([0.5, 0.3, 0.2]) / (n + 1)).all()


def test_certain_requests_are_counted() -> None:
    p = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    mix = estimated_mix(p, LABELS, training_mix=[1, 1, 1])
    np.testing.assert_allclose(mix, (np.array([3, 2, 1]) + 1 / 3) / 7)


@pytest.mark.parametrize("p", [np.empty((0, 3)), np.ones((4, 2)) / 2, np.ones(3) / 3])
def test_what_is_no_set_of_requests(p: Array) -> None:
    with pytest.raises(EconomicsError, match="PF612 label mix"):
        estimated_mix(p, LABELS, training_mix=[1, 1, 1])
