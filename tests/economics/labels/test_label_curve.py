"""Label curves: known ones come back, with intervals that hold; where nothing tells, no number."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from tests.economics.label_worlds import subsets

from payoff.core.errors import EconomicsError
from payoff.economics.labels.label_curve import LabelCurve, Subsets, fit_together

WORLDS: list[dict[str, Any]] = [
    {"n_rows": 1200, "training": 1.0},
    {"exponent": 0.25, "level": 3.0, "scale": 5.0},
    {"exponent": 1.0, "scale": 90.0},
]


@pytest.mark.parametrize("world", WORLDS)
def test_intervals_hold_the_true_curve(world: dict[str, Any]) -> None:
    """Of 100 worlds 90 % should be held; 3 standard errors of such a share are 9 points."""
    level, scale, exponent = (
        world.get(key, usual) for key, usual in (("level", 2.2), ("scale", 6.0), ("exponent", 0.5))
    )

    def true(n: float) -> float:
        return float(level - scale * n**-exponent)

    held = []
    for seed in range(100):
        curve = LabelCurve.fit(subsets(seed, **world), ceiling=level + 0.5, seed=seed)
        if curve.doubt:
            continue
        pairs = [
            (true(1600), curve.at(1600)),
            (true(3200) - true(1600), curve.at(3200) - curve.at(1600)),
            (exponent * scale * 1600 ** (-exponent - 1), curve.slope(1600)),
        ]
        ends = [(truth, *np.quantile(samples, (0.05, 0.95))) for truth, samples in pairs]
        held.append([low <= truth <= high for truth, low, high in ends])
    assert len(held) >= 75
    shares = np.mean(held, axis=0)
    assert (shares >= 0.81).all(), shares


def test_a_flat_curve_is_told_as_no_number() -> None:
    doubts = [
        LabelCurve.fit(subsets(seed, scale=0.0, level=1.0), ceiling=3.0, seed=seed).doubt
        for seed in range(25)
    ]
    assert sum(bool(doubt) for doubt in doubts) >= 21
    assert any("within the noise" in doubt for doubt in doubts)


def test_points_of_another_shape_are_told() -> None:
    given = subsets(0, n_rows=4000, training=0.01)
    worths = given.worths.copy()
    worths[:, 2] -= 1.0  # a dip in the middle
    curve = LabelCurve.fit(dataclasses.replace(given, worths=worths))
    assert "do not lie on a curve of this kind" in curve.doubt
    assert len(curve) == 0


@pytest.mark.parametrize(
    ("sizes", "draws", "rows", "doubt"),
    [(3, 3, 100, "3 sizes"), (5, 1, 100, "drawn once"), (5, 3, 20, "20 rows judge it")],
)
def test_too_little_to_tell(sizes: int, draws: int, rows: int, doubt: str) -> None:
    full = subsets(0)
    few = Subsets(full.sizes[:sizes], full.worths[:draws, :sizes, :rows], full.pool)
    curve = LabelCurve.fit(few)
    assert doubt in curve.doubt
    assert curve.as_dict([100.0])["line"] == []


def test_decisions_that_never_differ_tell_nothing() -> None:
    same = Subsets(np.array([10, 20, 40, 80]), np.full((2, 4, 50), 3.0), 80)
    assert LabelCurve.fit(same).doubt == "every decision was worth the same"


def test_the_covariance_is_that_of_means_of_nested_samples() -> None:
    """Restated: subsets of a pool vary by t (1/n − 1/N), the pool by t / N, nested ones share."""
    rng = np.random.default_rng(0)
    pool, sizes, draws = 400, np.array([50, 100, 400]), 2000
    use = rng.normal(0, 3.0, pool)
    worths = np.empty((draws, 3, 2))
    for draw in range(draws):
        order = rng.permutation(pool)
        for place, n in enumerate(sizes):
            worths[draw, place] = use[order[:n]].mean()
    found = Subsets(sizes, worths, pool).training_covariance()
    t = use.var()
    expected = t * np.array(
        [
            [(1 / 50 - 1 / 400) / draws + 1 / 400, (1 / 100 - 1 / 400) / draws + 1 / 400, 1 / 400],
            [(1 / 100 - 1 / 400) / draws + 1 / 400] * 2 + [1 / 400],
            [1 / 400] * 3,
        ]
    )
    assert found == pytest.approx(expected, rel=0.05)


def test_scaling_the_currency_scales_the_curve() -> None:
    given = subsets(1, n_rows=1200)
    one = LabelCurve.fit(given, ceiling=3.0, seed=5)
    cents = LabelCurve.fit(
        dataclasses.replace(given, worths=100 * given.worths), ceiling=300.0, seed=5
    )
    assert cents.at(3000) == pytest.approx(100 * one.at(3000), rel=1e-6)


def test_curves_fitted_together_compare_row_by_row() -> None:
    """Two models on the same rows: their gap is known better than either."""
    first = subsets(2, n_rows=400, training=0.5)
    noise = np.random.default_rng(9).normal(0, 0.3, first.worths.shape)
    noise[:, -1] = noise[0, -1]
    second = dataclasses.replace(first, worths=first.worths + 0.3 + noise)
    one, other = fit_together([first, second], ceiling=4.0, seed=0)
    gap = other.at(1600) - one.at(1600)
    assert gap.mean() == pytest.approx(0.3, abs=0.05)
    assert gap.std() < 0.8 * one.at(1600).std()


def test_another_model_with_half_the_room() -> None:
    curve = LabelCurve.fit(subsets(3, n_rows=1200), ceiling=3.0)
    other = curve.with_room(3.0, np.array([0.5]), "half")
    for n in (100.0, 1600.0, 5000.0):
        assert 3.0 - other.at(n) == pytest.approx(0.5 * (3.0 - curve.at(n)))
    assert other.slope(1600.0) == pytest.approx(0.5 * curve.slope(1600.0))
    assert other.basis == "half"


@pytest.mark.parametrize(
    ("sizes", "shape", "pool"),
    [
        ([10, 10], (2, 2, 5), 20),
        ([10, 30], (2, 2, 5), 20),
        ([10, 20], (2, 3, 5), 20),
        ([], (2, 0, 5), 9),
    ],
)
def test_measurements_that_do_not_fit(sizes: list[int], shape: tuple[int, ...], pool: int) -> None:
    with pytest.raises(EconomicsError) as told:
        Subsets(np.array(sizes, np.int64), np.zeros(shape), pool)
    assert told.value.code == "PF624"


def test_curves_judged_on_different_rows_do_not_fit_together() -> None:
    with pytest.raises(EconomicsError) as told:
        fit_together([subsets(0, n_rows=40), subsets(0, n_rows=50)])
    assert told.value.code == "PF624"
