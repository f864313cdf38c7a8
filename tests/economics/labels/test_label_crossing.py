"""Where a dear way to train overtakes a cheap one."""

from __future__ import annotations

import dataclasses

import numpy as np
from tests.economics.label_worlds import subsets

from payoff.economics.labels.label_crossing import LabelCrossing
from payoff.economics.labels.label_curve import LabelCurve, Subsets, fit_together


def pair(seed: int, *, dear: tuple[float, float]) -> tuple[LabelCurve, LabelCurve]:
    """A cheap one of worth 2 − 5/√n, and a dear one with another level and scale, same rows."""
    cheap = subsets(seed, level=2.0, scale=5.0, training=0.5, flips=0.5)
    level, scale = dear
    rng = np.random.default_rng([seed, 1])
    lead = (level - 2.0) - (scale - 5.0) * cheap.sizes**-0.5
    worths = cheap.worths + lead[None, :, None] + rng.normal(0, 0.3, cheap.worths.shape)
    worths[:, -1] = worths[0, -1]
    one, other = fit_together([cheap, dataclasses.replace(cheap, worths=worths)], ceiling=4.0)
    return one, other


def test_the_interval_holds_the_true_crossing() -> None:
    """2 − 5/√n = 2.6 − 17/√n where √n = 12 / 0.6 = 20, at 400 labels."""
    told = [LabelCrossing.of(*pair(seed, dear=(2.6, 17.0))) for seed in range(16)]
    found = [(one.low, one.labels, one.high) for one in told if one.labels is not None]
    assert len(found) >= 14, [one.doubt for one in told]
    held = 0
    for low, middle, high in found:
        assert low is not None
        assert high is not None
        assert low <= middle <= high
        assert 200 < middle < 800
        held += low <= 400 <= high
    assert held >= 0.7 * len(found)


def test_no_crossing_is_told_as_such() -> None:
    above = LabelCrossing.of(*pair(0, dear=(3.2, 5.0)))
    below = LabelCrossing.of(*pair(0, dear=(1.0, 5.0)))
    same = LabelCrossing.of(*pair(0, dear=(2.0, 5.0)))
    assert (above.labels, below.labels, same.labels) == (None, None, None)
    assert "earns more all the way from 100 to 6400" in above.doubt
    assert "earns less all the way" in below.doubt
    assert "do not tell the two apart" in same.doubt
    assert same.as_dict()["labels"] is None


def test_a_curve_that_tells_nothing_crosses_nothing() -> None:
    nothing = LabelCurve.fit(Subsets(np.array([10]), np.zeros((2, 1, 40)), 10))
    assert LabelCrossing.of(nothing, nothing).doubt == nothing.doubt
