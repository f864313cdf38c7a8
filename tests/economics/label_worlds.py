"""Worlds in which the true curve of worth over labels is known."""

from __future__ import annotations

import numpy as np

from payoff.economics.labels.label_curve import Subsets


def subsets(
    seed: int,
    *,
    level: float = 2.2,
    scale: float = 6.0,
    exponent: float = 0.5,
    pool: int = 1600,
    n_rows: int = 400,
    n_draws: int = 3,
    training: float = 4.0,
    flips: float = 2.0,
) -> Subsets:
    """What a run would measure where a request is truly worth ``level − scale · n^(−exponent)``.

    Each row of the pool is a little better or worse to learn from (variance ``training``), held-out
    rows differ from each other, and each trained model decides some of them otherwise.
    """
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(pool / 16, pool, 5).round().astype(np.int64)
    use = rng.normal(0, np.sqrt(training), pool)
    rows = rng.normal(0, 2.0, n_rows)
    worths = np.empty((n_draws, len(sizes), n_rows))
    for draw in range(n_draws):
        order = rng.permutation(pool)
        for place, n in enumerate(sizes):
            mean = level - scale * n**-exponent + use[order[:n]].mean()
            worths[draw, place] = mean + rows + rng.normal(0, flips * n**-0.25, n_rows)
        worths[draw, -1] = worths[0, -1]  # all rows are the same rows in every draw
    return Subsets(sizes, worths, pool)
