"""Requests of a model that is calibrated by construction: the truth is drawn from its own words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.learn.watching.window import Window

LABELS = ("billing", "card", "refund", "transfer")
WORTH = Payoff(correct=3.2, wrong=-7.5, handoff=-1.4, currency="EUR")
POLICY = Policy.from_payoff(WORTH, LABELS)


def probabilities(n: int, seed: int, *, sharpness: float = 4.0) -> NDArray[np.float64]:
    """Rows of which most are sure and some are not."""
    rng = np.random.default_rng(seed)
    k = len(LABELS)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), rng.integers(0, k, n)] += sharpness * rng.gamma(2.0, 0.5, n)
    raised = np.exp(logits)
    drawn: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return drawn


def truths(p: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """A label for each row, as likely as the row says."""
    u = np.random.default_rng(seed).random(len(p))
    below = p.cumsum(axis=1)[:, :-1] < u[:, None]
    drawn: NDArray[np.int64] = below.sum(axis=1).astype(np.int64)
    return drawn


def requests_of(n: int, seed: int, *, sharpness: float = 4.0, known: bool = True) -> Window:
    """Requests, decided by the policy, with all labels or none."""
    p = probabilities(n, seed, sharpness=sharpness)
    truth = truths(p, seed + 1)
    made: dict[str, Any] = {"truth": truth} if known else {}
    return Window(probabilities=p, actions=POLICY.decide(p).actions, tables=POLICY.tables, **made)
