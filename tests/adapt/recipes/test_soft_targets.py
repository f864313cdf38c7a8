from __future__ import annotations

import numpy as np
import pytest

from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.soft_targets import fit_soft, one_hot

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(4, 16))
TARGETS = RNG.integers(0, 4, 300)
VECTORS = (CENTRES[TARGETS] + RNG.normal(size=(300, 16))).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


def probabilities(head: LinearHead) -> np.ndarray:
    odds = np.exp(head(VECTORS).astype(np.float64))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("strength", [0.3, 10.0])
def test_whole_labels_give_the_logistic_regression(strength: float) -> None:
    ours = fit_soft(VECTORS, one_hot(TARGETS, 4), strength=strength)
    theirs = fit_logistic(VECTORS, TARGETS, n_labels=4, strength=strength)
    np.testing.assert_allclose(probabilities(ours), probabilities(theirs), atol=5e-3)


def test_a_weight_counts_as_copies() -> None:
    times = RNG.integers(1, 4, 300)
    weighted = fit_soft(VECTORS, one_hot(TARGETS, 4), strength=3.0, weights=times)
    copied = fit_soft(
        VECTORS.repeat(times, axis=0), one_hot(TARGETS.repeat(times), 4), strength=3.0
    )
    np.testing.assert_allclose(probabilities(weighted), probabilities(copied), atol=2e-3)


def test_a_blend_of_labels_counts_as_a_copy_of_each() -> None:
    other = (TARGETS + 1) % 4
    blend = 0.75 * one_hot(TARGETS, 4) + 0.25 * one_hot(other, 4)
    soft = fit_soft(VECTORS, blend, strength=3.0)
    copies = fit_soft(
        np.concatenate([VECTORS, VECTORS]),
        one_hot(np.concatenate([TARGETS, other]), 4),
        strength=3.0,
        weights=np.repeat([0.75, 0.25], 300),
    )
    np.testing.assert_allclose(probabilities(soft), probabilities(copies), atol=2e-3)


def test_a_weak_penalty_reproduces_the_shares_on_average() -> None:
    """The slope by the biases is zero at the best: mean answers are mean shares."""
    shares = RNG.dirichlet(np.ones(4), 300)
    head = fit_soft(VECTORS, shares, strength=1e3)
    np.testing.assert_allclose(probabilities(head).mean(0), shares.mean(0), atol=1e-3)


def test_the_same_twice_is_the_same() -> None:
    one, other = (fit_soft(VECTORS, one_hot(TARGETS, 4), strength=10.0) for _ in range(2))
    assert np.array_equal(one.weight, other.weight)
    assert np.array_equal(one.bias, other.bias)
