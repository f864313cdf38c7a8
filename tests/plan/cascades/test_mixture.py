"""What models in turn take, against draws of the very process."""

from __future__ import annotations

import numpy as np
import pytest

from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.evidence.quality import measure_quality
from payoff.plan.cascades.mixture import Mixture

QUALITY = measure_quality([[0.6, 0.4]], [0])


def model(p50_ms: float, p95_ms: float, texts_per_s: float, memory: int = 100) -> Evidence:
    latency = Latency(p50_ms, p95_ms, texts_per_s, 64, 100, 2)
    return Evidence("validation", QUALITY, latency=latency, footprint=Footprint(10, memory, 0.5))


MODELS = (model(1.0, 2.0, 2000.0), model(10.0, 14.0, 150.0, 500), model(50.0, 80.0, 20.0))


@pytest.mark.parametrize(
    "shares", [(1.0, 0.0, 0.0), (0.97, 0.03, 0.0), (0.8, 0.15, 0.05), (0.2, 0.3, 0.5)]
)
def test_the_quantiles_are_those_of_drawn_requests(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    path = rng.choice(3, n, p=shares)
    half, most = np.cumsum([1.0, 10.0, 50.0]), np.cumsum([2.0, 14.0, 80.0])
    sigma = np.log(most / half) / 1.6449
    drawn = half[path] * np.exp(sigma[path] * rng.normal(size=n))
    told = Mixture(MODELS, shares).latency
    assert (drawn <= told.p50_ms).mean() == pytest.approx(0.5, abs=0.005)
    assert (drawn <= told.p95_ms).mean() == pytest.approx(0.95, abs=0.005)


def test_one_model_is_itself() -> None:
    told = Mixture(MODELS[:1], (1.0,))
    assert told.latency.p50_ms == pytest.approx(1.0)
    assert told.latency.p95_ms == pytest.approx(2.0)
    assert told.latency.texts_per_s == pytest.approx(2000.0)
    assert told.service_scv == pytest.approx(1.0)
    assert told.footprint == MODELS[0].footprint


def test_speed_variation_and_memory() -> None:
    shares = (0.8, 0.15, 0.05)
    told = Mixture(MODELS, shares)
    paths = np.cumsum([1 / 2000, 1 / 150, 1 / 20])
    assert told.reached == pytest.approx((1.0, 0.2, 0.05))
    asked = 1 / 2000 + 0.2 / 150 + 0.05 / 20
    assert told.latency.texts_per_s == pytest.approx(1 / asked)
    rng = np.random.default_rng(1)
    drawn = paths[rng.choice(3, 400_000, p=shares)] * rng.exponential(size=400_000)
    assert told.service_scv == pytest.approx(drawn.var() / drawn.mean() ** 2, rel=0.05)
    assert told.footprint == Footprint(30, 700, 1.5)


def test_few_slow_requests_count() -> None:
    """One in twenty-five is slow: the 95 % quantile is above that of the fast ones alone."""
    assert Mixture(MODELS[:2], (0.96, 0.04)).latency.p95_ms > 2.0
