"""Power laws ``a − b · n^(−c)`` through noisy points, as draws from their posterior."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_CURVES: Final = 2000
_GRID: Final = {1: 40, 2: 20}  # exponents a law: for one law, and for two
_STEEPEST: Final = 2.0
_TRIES: Final = 60_000  # in all
_RIDGE: Final = 1e-9
_STREAM: Final = 23


@dataclass(frozen=True, eq=False, slots=True)
class PowerLaws:
    """Equally probable laws through the same points.

    Args:
        level: ``a``, ``(n_curves,)``; empty where none holds the constraints.
        scale: ``b ≥ 0``, likewise.
        exponent: ``c``, likewise.
        misfit: χ² of the nearest law.
        rise: By how much χ² is larger for a level.

    Example:
        >>> PowerLaws(np.ones(1), np.ones(1), np.ones(1), 0.0, 9.0).rise
        9.0
    """

    level: Array
    scale: Array
    exponent: Array
    misfit: float
    rise: float


def fit_power_laws(
    sizes: Sequence[Array],
    means: Sequence[Array],
    covariance: Array,
    *,
    ceiling: float | None,
    seed: int,
) -> tuple[PowerLaws, ...]:
    """Laws through one or two series of points whose noise is known.

    For a given exponent a law is linear in where it starts and in what it gains from the first
    size to the last; so their posterior under a flat prior (on gains of 0 and more) is a normal
    distribution with a part cut off, and that of the exponent (flat between 0 and 2) is summed on a
    grid.

    Args:
        sizes: Of each series, rising, ``(n_sizes,)``.
        means: The points, ``(n_sizes,)`` each.
        covariance: Of all points, series after series, square.
        ceiling: No law ends above it; None for no limit.
        seed: The same seed gives the same laws.

    Returns:
        A set of laws a series; law ``i`` of each belong together.

    Example:
        >>> n = np.array([10.0, 20.0, 40.0, 80.0])
        >>> (law,) = fit_power_laws([n], [5 - 9 / n], np.eye(4) * 1e-8, ceiling=None, seed=0)
        >>> round(float(law.level.mean()), 2), round(float(law.exponent.mean()), 2)
        (5.0, 1.0)
    """
    grid = np.linspace(0.0, _STEEPEST, _GRID[len(sizes)] + 1)[1:]
    y = np.concatenate(means)
    noise = covariance + np.eye(len(y)) * (_RIDGE * np.trace(covariance) / len(y) + 1e-300)
    whiten = np.linalg.inv(np.linalg.cholesky(noise))
    target = whiten @ y
    rng = np.random.default_rng([seed, _STREAM])
    points = list(itertools.product(grid, repeat=len(sizes)))
    each = max(20, _TRIES // len(points))
    drawn, logs = [], []
    for exponents in points:
        design = whiten @ _design(sizes, exponents)
        precision = design.T @ design
        centre = np.linalg.solve(precision, design.T @ target)
        root = np.linalg.cholesky(np.linalg.inv(precision))
        tried = centre + rng.standard_normal((each, len(centre))) @ root.T
        drawn.append(_as_laws(tried, sizes, exponents))
        misfit = float(((target - design @ centre) ** 2).sum())
        logs.append(np.full(each, np.log(np.diag(root)).sum() - 0.5 * misfit))
    laws = np.concatenate(drawn)  # (n, n_series, 3)
    highest = np.inf if ceiling is None else ceiling
    kept = np.logical_and(laws[:, :, 1] >= 0, laws[:, :, 0] <= highest).min(axis=1)
    chosen = _resampled(np.concatenate(logs), kept, rng)
    return tuple(
        PowerLaws(
            laws[chosen, series, 0], laws[chosen, series, 1], laws[chosen, series, 2], misfit, rise
        )
        for series, (misfit, rise) in enumerate(_apart(sizes, means, noise, grid))
    )


def _design(sizes: Sequence[Array], exponents: Sequence[float]) -> Array:
    """Columns a series: where it starts, and the share of its gain at each size."""
    design = np.zeros((sum(map(len, sizes)), 2 * len(sizes)))
    start = 0
    for series, (n, c) in enumerate(zip(sizes, exponents, strict=True)):
        rows = slice(start, start + len(n))
        design[rows, 2 * series] = 1.0
        design[rows, 2 * series + 1] = (n[0] ** -c - n**-c) / (n[0] ** -c - n[-1] ** -c)
        start += len(n)
    return design


def _as_laws(tried: Array, sizes: Sequence[Array], exponents: Sequence[float]) -> Array:
    """Starts and gains as ``a``, ``b`` and ``c``: ``(n, n_series, 3)``."""
    laws = np.empty((len(tried), len(sizes), 3))
    for series, (n, c) in enumerate(zip(sizes, exponents, strict=True)):
        scale = tried[:, 2 * series + 1] / (n[0] ** -c - n[-1] ** -c)
        laws[:, series, 0] = tried[:, 2 * series] + scale * n[0] ** -c
        laws[:, series, 1] = scale
        laws[:, series, 2] = c
    return laws


def _resampled(logs: Array, kept: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """Places of equally probable laws, in random order; none where no law is kept."""
    if not kept.any():
        return np.zeros(0, np.intp)
    weights = np.exp(np.where(kept, logs - logs[kept].max(), -np.inf))
    steps = (np.arange(N_CURVES) + rng.random()) / N_CURVES
    places = np.searchsorted(np.cumsum(weights) / weights.sum(), steps)
    return rng.permutation(np.minimum(places, len(logs) - 1))


def _apart(
    sizes: Sequence[Array], means: Sequence[Array], noise: Array, grid: Array
) -> list[tuple[float, float]]:
    """Of each series alone: χ² of its nearest law, and how much larger that of a level is."""
    told, start = [], 0
    for n, y in zip(sizes, means, strict=True):
        rows = slice(start, start + len(n))
        start += len(n)
        whiten = np.linalg.inv(np.linalg.cholesky(noise[rows, rows]))
        target, ones = whiten @ y, whiten @ np.ones(len(n))
        flat = float(((target - ones * (ones @ target) / (ones @ ones)) ** 2).sum())
        nearest = flat
        for c in grid:
            design = whiten @ _design([n], [float(c)])
            found = np.linalg.lstsq(design, target, rcond=None)[0]
            if found[1] >= 0:
                nearest = min(nearest, float(((target - design @ found) ** 2).sum()))
        told.append((nearest, flat - nearest))
    return told


def chi_square_bound(freedom: int, z: float) -> float:
    """What χ² exceeds as seldom as a standard normal exceeds ``z`` (Wilson and Hilferty 1931).

    Example:
        >>> round(chi_square_bound(10, 1.645), 1)  # tables: 18.3
        18.3
    """
    spread = 2.0 / (9.0 * freedom)
    return float(freedom * (1.0 - spread + z * spread**0.5) ** 3)
