"""Worlds: the bootstrap's moments, the mix, and that the same seed gives the same worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics import row_weights as module
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds

TRUTH = np.array([1, 0, 2, 1, 1, 0, 2, 2, 2, 0])
TRAFFIC = Traffic(1000, 800, 1250)


def draw(truth: NDArray[np.int64] = TRUTH, k: int = 3, **more: Any) -> Worlds:
    return Worlds.draw(truth, k, TRAFFIC, **({"seed": 1, "n_worlds": 4000} | more))


def test_weights_are_the_bayesian_bootstrap() -> None:
    weights = draw(n_worlds=20_000).weights
    n = len(TRUTH)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    assert weights.min() >= 0
    # Dirichlet(1, …, 1): mean 1/n, variance (n-1) / (n² (n+1)), covariance -1 / (n² (n+1))
    np.testing.assert_allclose(weights.mean(axis=0), 1 / n, atol=0.002)
    variance = (n - 1) / (n**2 * (n + 1))
    np.testing.assert_allclose(weights.var(axis=0), variance, rtol=0.06)
    assert np.cov(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(
        -1 / (n**2 * (n + 1)), abs=2e-4
    )


def test_each_class_weighs_what_the_mix_says() -> None:
    plain = draw()
    for label in range(3):
        share = plain.weights[:, label == TRUTH].sum(axis=1)
        np.testing.assert_allclose(share, plain.mix[:, label], atol=1e-6)
    mix = np.array([0.1, 0.2, 0.7])
    worlds = draw(expected_mix=mix, mix_concentration=50, n_worlds=20_000)
    weights = worlds.weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(worlds.mix.mean(axis=0), mix, atol=0.005)
    # A label of n rows keeps n / (n + 1) of its share; the rest is spread as the mix is.
    rows = np.array([3, 3, 4])
    kept = mix * rows / (rows + 1)
    for label in range(3):
        share = weights[:, label == TRUTH].sum(axis=1).mean()
        assert share == pytest.approx(kept[label] + (1 - kept.sum()) * mix[label], abs=0.005)
    # Dirichlet(50 m): variance m (1 - m) / 51
    assert worlds.mix[:, 2].var() == pytest.approx(0.7 * 0.3 / 51, rel=0.1)


def test_mean_values_are_weights_times_values() -> None:
    worlds = draw()
    values = np.random.default_rng(0).normal(size=(5, len(TRUTH)))
    direct = values @ worlds.weights.T.astype(float)
    np.testing.assert_allclose(worlds.mean_values(values), direct, atol=1e-5)
    assert worlds.mean_values(values).shape == (5, 4000)
    with pytest.raises(EconomicsError, match="PF618"):
        worlds.mean_values(values[:, :3])


def test_worlds_too_large_to_keep_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(len(TRUTH), dtype=float)[None]
    kept = draw().mean_values(values)
    monkeypatch.setattr(module, "_MOST_KEPT", 1)
    monkeypatch.setattr(module, "_MOST_SHARED", 1)
    again = draw()
    np.testing.assert_array_equal(again.mean_values(values), kept)
    assert again.row_weights._kept == {}
    np.testing.assert_array_equal(again.mean_values(values), kept)


def test_seeds_and_streams() -> None:
    one, same, other = draw(), draw(), draw(seed=2)
    assert one.key == same.key != other.key
    np.testing.assert_array_equal(one.weights, same.weights)
    longer = draw(months=24, person_spread=0.5, price_spread=0.0)
    np.testing.assert_array_equal(one.weights, longer.weights)
    np.testing.assert_array_equal(one.requests, longer.requests[:, :12])
    np.testing.assert_array_equal(longer.price_factor, 1.0)
    fewer = draw(n_worlds=300)  # more worlds are added to those that were there
    np.testing.assert_array_equal(fewer.weights[:256], one.weights[:256])


def test_worlds_of_other_traffic_share_their_row_weights() -> None:
    """They are drawn once; what they are drawn from tells them apart from all others."""
    one, longer = draw(n_worlds=90), draw(n_worlds=90, months=24, price_spread=0.3)
    assert one.row_weights is longer.row_weights
    others = [{"seed": 2}, {"mix_concentration": 7.0}, {"truth": TRUTH[::-1]}]
    others += [{"expected_mix": np.array([0.2, 0.3, 0.5])}, {"n_worlds": 89}]
    for other in others:
        assert draw(**{"n_worlds": 90} | other).row_weights is not one.row_weights


@pytest.mark.parametrize("mix", [None, np.array([0.1, 0.2, 0.7])])
def test_neither_threads_nor_cores_change_a_weight(
    mix: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_SHARED", 1)
    plain = draw(expected_mix=mix).weights
    monkeypatch.setattr(module, "_WORTH_THREADS", 1)
    monkeypatch.setattr(module, "physical_cores", lambda: 3)
    np.testing.assert_array_equal(draw(expected_mix=mix).weights, plain)


def test_factors_have_mean_one() -> None:
    worlds = draw(n_worlds=40_000, person_spread=0.3)
    assert worlds.minutes_factor.mean() == pytest.approx(1.0, abs=0.006)
    assert np.log(worlds.minutes_factor).std() == pytest.approx(0.3, rel=0.02)
    assert worlds.price_factor.mean() == pytest.approx(1.0, abs=0.002)
    assert np.corrcoef(worlds.minutes_factor, worlds.price_factor)[0, 1] == pytest.approx(
        0, abs=0.02
    )


def test_classes_without_test_rows_are_reported_and_spread_over_the_others() -> None:
    worlds = draw(k=5, expected_mix=np.array([0.3, 0.3, 0.2, 0.2, 0.0]))
    assert worlds.absent == (3,)
    assert worlds.absent_share == pytest.approx(0.2)
    np.testing.assert_allclose(worlds.mix.sum(axis=1), 1.0)
    np.testing.assert_allclose(worlds.mix.mean(axis=0), [0.3, 0.3, 0.2, 0.2, 0], atol=0.01)
    np.testing.assert_allclose(worlds.weights.sum(axis=1), 1.0, atol=1e-6)
    assert draw().absent_share == 0.0


def test_a_class_expected_never_weighs_nothing() -> None:
    worlds = draw(expected_mix=np.array([0.5, 0.5, 0.0]))
    np.testing.assert_array_equal(worlds.weights[:, TRUTH == 2], 0.0)


def test_what_few_rows_of_a_label_do_not_show_is_not_taken_for_sure() -> None:
    """One row a label, all mixes sure: without a borrowed row nothing would vary."""
    truth, values = np.arange(4), np.array([[8.0, 0.0, 0.0, 0.0]])
    sure = {"expected_mix": np.full(4, 0.25), "mix_concentration": 1e12}
    worlds = draw(truth, 4, n_worlds=40_000, **sure)
    found = worlds.mean_values(values)[0]
    # Of each label's quarter a share u, uniform, is that of a row picked among the four. With q
    # for "that row is the first": (8 / 4) · (1 − u_0 + Σ u_i q_i), q 1 in a quarter of the picks.
    assert found.mean() == pytest.approx(2.0, abs=0.01)
    # var(Σ u_i q_i − u_0): var(u (q − 1)) + 3 var(u q), with E u = 1/2, E u² = 1/3
    first = 0.75 / 3 - (0.75 / 2) ** 2
    others = 0.25 / 3 - (0.25 / 2) ** 2
    assert found.var() == pytest.approx(4 * (first + 3 * others), rel=0.03)


def test_effects_of_the_mix_count_the_borrowed_row() -> None:
    mix = np.array([0.1, 0.2, 0.6, 0.1])
    worlds = draw(k=4, expected_mix=mix, mix_concentration=20, n_worlds=5)
    values = np.arange(10.0)[None]
    means = np.array([(1 + 5 + 9) / 3, (0 + 3 + 4) / 3, (2 + 6 + 7 + 8) / 4])
    borrowed = (means * mix[:3]).sum() / 0.9
    counted = [*((means * [3, 3, 4] + borrowed) / [4, 4, 5]), borrowed]
    np.testing.assert_allclose(worlds.mix_effects(values)[0], worlds.mix @ counted, rtol=1e-5)


def test_class_means_by_hand() -> None:
    means = draw(k=4).class_means(np.arange(10.0)[None])
    np.testing.assert_allclose(means, [[(1 + 5 + 9) / 3, (0 + 3 + 4) / 3, (2 + 6 + 7 + 8) / 4, 0]])


def test_shape_of_it_all() -> None:
    worlds = draw(months=3, n_worlds=7)
    assert (worlds.n_worlds, worlds.n_rows, worlds.months) == (7, 10, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"truth": np.array([], dtype=int)},
        {"truth": np.array([0, 3])},
        {"truth": np.array([-1, 0])},
        {"months": 0},
        {"n_worlds": 0},
        {"person_spread": -1.0},
        {"price_spread": np.nan},
        {"mix_concentration": 0.0},
        {"expected_mix": np.array([1.0, 1.0])},
        {"expected_mix": np.array([1.0, -1.0, 1.0])},
        {"expected_mix": np.zeros(3)},
        {"truth": np.array([0, 0]), "expected_mix": np.array([0.0, 1.0, 1.0])},
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EconomicsError, match="PF618"):
        draw(**change)
