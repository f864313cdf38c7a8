"""Simulated tiers of a cascade: calibrated probabilities of known skill, and the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.cascade import CascadeTier
from payoff.economics.policy import Policy

Array = NDArray[np.float64]


def policy_of(k: int = 6, *, right: float = 3.0, wrong: float = -6.0) -> Policy:
    """Right, wrong and −2 for handing over."""
    values = np.full((k, k + 1), wrong)
    np.fill_diagonal(values, right)
    values[:, k] = -2.0
    return Policy(tuple(f"label {i:02d}" for i in range(k)), values)


def drawn(
    rng: np.random.Generator, n: int, skills: Sequence[float], k: int = 6
) -> tuple[NDArray[np.int64], list[Array]]:
    """Truth, and what models that see it through noise of 1 / skill believe by Bayes' rule."""
    truth = rng.integers(0, k, n)
    said = []
    for skill in skills:
        seen = np.eye(k)[truth] * skill + rng.normal(size=(n, k))
        raised = np.exp(skill * (seen - seen.max(axis=1, keepdims=True)))
        said.append(raised / raised.sum(axis=1, keepdims=True))
    return truth, said


def tiers_of(said: Sequence[Array], costs: Sequence[float]) -> list[CascadeTier]:
    """Tiers named by their number."""
    pairs = zip(said, costs, strict=True)
    return [CascadeTier(f"tier {i}", p, cost) for i, (p, cost) in enumerate(pairs)]
