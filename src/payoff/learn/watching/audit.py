"""Audit: which labels to ask for, so that few of them tell the loss."""

from __future__ import annotations

import numpy as np

from payoff.learn.watching.window import Floats, Integers, Window

_FLOOR = 1.0


def inclusions(window: Window, n_labels: float) -> Floats:
    """With which probability each request's label should be asked for, ``(n,)``.

    In proportion to how uncertain its worth is, as its own probabilities say (Neyman 1934, "On the
    two different aspects of the representative method", JRSS 97(4)), so that nobody labels what is
    worth the same under any label, such as a handover. A part is spread evenly over the requests
    with something at stake, since a model that is wrong with confidence must be found out too.

    Args:
        window: The requests.
        n_labels: How many labels are to be asked for on average.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.array([[0.99, 0.01], [0.7, 0.3], [0.5, 0.5]])
        >>> window = Window(probabilities=p, actions=np.array([0, 0, 2]), tables=tables)
        >>> inclusions(window, 1).round(2).tolist()
        [0.34, 0.66, 0.0]
    """
    at_stake = np.ptp(window.outcomes, axis=1) > 0
    if not at_stake.any() or n_labels <= 0:
        return np.zeros(len(window))
    spread = np.sqrt(window.variance)
    size = np.where(at_stake, spread + _FLOOR * spread[at_stake].mean(), 0.0)
    if not size.any():
        size = at_stake.astype(np.float64)
    wanted = min(float(n_labels), float(at_stake.sum()))
    found = np.zeros(len(window))
    certain = np.zeros(len(window), dtype=bool)
    while True:  # those that are asked for certainly leave fewer labels for the others
        rest = size * ~certain
        total = rest.sum()
        found = np.where(certain, 1.0, rest * ((wanted - certain.sum()) / total if total else 0.0))
        over = found > 1.0
        if not over.any():
            return found
        certain |= over


def audit_sample(inclusion: Floats, *, seed: int) -> Integers:
    """Requests whose labels to ask for: places, ascending.

    Systematic sampling in random order: each is taken with exactly its probability, and their
    number varies by less than one (Madow 1949, "On the theory of systematic sampling").

    Args:
        inclusion: Probabilities, ``(n,)``.
        seed: The same seed gives the same requests.

    Example:
        >>> audit_sample(np.array([1.0, 0.5, 0.5, 0.0]), seed=0).tolist()
        [0, 1]
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(inclusion))
    ends = np.cumsum(inclusion[order]) + rng.random()
    taken = np.diff(np.floor(np.concatenate([[ends[0] - inclusion[order[0]]], ends]))) > 0
    return np.sort(order[taken]).astype(np.int64)
