"""Shrinkage: what few rows say of a segment, drawn towards what all segments say together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.worlds import Worlds

Array = NDArray[np.float64]

_GRID: Final = 400
_DECADES: Final = 6.0
_LEAST_GROUPS: Final = 3
_NO_SPREAD: Final = 1e-18
_STREAM: Final = 11


@dataclass(frozen=True, eq=False, slots=True)
class Shrinkage:
    """How much each segment's own rows count. Make it with `between`.

    A segment's mean ``y`` over its ``n`` rows is replaced by ``B y + (1 − B) centre`` with
    ``B = n / (n + prior_rows)``: as though it had ``prior_rows`` more rows like the others'.
    The centre is the mean of the segments weighted by ``B``; then the shrunk means, weighted by
    their rows, add up to exactly what the unshrunk ones do.

    Args:
        rows: Rows of each segment, shape ``(k,)``; may be 0.
        prior_rows: Variance within segments over the variance between their true means.
        between_sd: Standard deviation of the true means around the centre.

    Example:
        >>> half = Shrinkage(np.array([10.0, 10.0]), 10.0, 0.5)
        >>> half.own.tolist(), half.mean(np.array([2.0, 4.0])).tolist()
        ([0.5, 0.5], [2.5, 3.5])
    """

    rows: Array
    prior_rows: float
    between_sd: float

    @classmethod
    def between(
        cls, values: Array, codes: NDArray[np.int64], k: int, weights: Array | None = None
    ) -> Shrinkage:
        """Estimate from the rows how much segments truly differ.

        Means are taken as ``y_s ~ N(θ_s, σ² / n_s)`` and ``θ_s ~ N(centre, τ²)``, ``σ²`` pooled
        within segments (Morris 1983, "Parametric empirical Bayes inference", JASA 78). ``τ²``
        maximises its likelihood times ``τ²`` itself, which keeps it from being estimated as 0 and
        the intervals from being too narrow (Morris and Tang 2011, "Estimating random effects via
        adjustment for density maximization", Statistical Science 26(2); Li and Lahiri 2010). With
        fewer than three segments that have rows nothing can be learnt of ``τ²``, and nothing is
        shrunk.

        Args:
            values: One value a row, shape ``(n,)``.
            codes: Segment of each row, 0 to ``k - 1``, shape ``(n,)``.
            k: Number of segments.
            weights: How much each row counts, above 0, shape ``(n,)``; None counts all alike. A
                segment then has as many rows as its weights are worth, ``(Σ w)² / Σ w²``.

        Raises:
            EconomicsError: PF618 where the lengths differ, or a segment has no row and there are
                fewer than three others to go by.

        Example:
            >>> values = np.tile([0.0, 1.0], 30)  # all segments alike
            >>> alike = Shrinkage.between(values, np.repeat(np.arange(6), 10), 6)
            >>> bool((alike.own < 0.6).all())
            True
        """
        counts = _worth_rows(codes, k, weights)
        full = counts > 0
        known = int(full.sum()) >= _LEAST_GROUPS
        if values.shape != codes.shape or len(counts) != k or not (known or full.all()):
            raise EconomicsError(
                "PF618",
                "segments",
                f"{len(values)} values for {len(codes)} rows, and rows in {int(full.sum())} of"
                f" {k} segments",
                expected="one value per row, and rows in every segment or in three of them",
            )
        means = segment_means(values, codes, k, weights)
        squares = (values - means[codes]) ** 2
        within = float(np.average(squares, weights=weights) * len(values))
        within /= max(len(values) - int(full.sum()), 1)
        if not known or within <= _NO_SPREAD * max(float((values**2).max()), _NO_SPREAD):
            return cls(counts, 0.0, float(means[full].std()))
        between = _variance_between(means[full], within / counts[full])
        return cls(counts, within / between, math.sqrt(between))

    @property
    def own(self) -> Array:
        """``B`` of each segment, shape ``(k,)``: 0 without rows, 1 where nothing is shrunk."""
        return self.rows / np.maximum(self.rows + self.prior_rows, np.finfo(np.float64).tiny)

    def centre(self, means: Array) -> Any:
        """The mean that all are drawn towards: over the first axis of ``(k, …)``."""
        return np.tensordot(self.own / self.own.sum(), means, axes=1)

    def mean(self, means: Array) -> Array:
        """Segment means drawn towards their centre, shape ``(k,)``."""
        shrunk: Array = self.own * means + (1 - self.own) * self.centre(means)
        return shrunk

    def draws(self, drawn: Array, *, seed: int) -> Array:
        """Possible true means of each segment in each world.

        A segment's rows and its prior rows share the weight as ``Beta(n, prior_rows)`` says, which
        is how the mass of a Dirichlet process divides between observed rows and its base (Ferguson
        1973); its own part is the Bayesian bootstrap of its rows, which is the same with no prior
        rows. The part of the prior rows is normal around the centre with ``between_sd``.

        Args:
            drawn: Means under resampled weights, shape ``(k, n_worlds)``; anything finite where a
                segment has no row.
            seed: The same seed gives the same draws.

        Example:
            >>> plain = Shrinkage(np.array([9.0, 5.0]), 0.0, 1.0)
            >>> plain.draws(np.array([[2.0], [4.0]]), seed=0).tolist()
            [[2.0], [4.0]]
        """
        rng = np.random.default_rng([seed, _STREAM])
        share = np.ones(drawn.shape)
        if self.prior_rows > 0:
            share[:] = (self.rows > 0)[:, None]
            some = self.rows > 0
            size = (int(some.sum()), drawn.shape[1])
            share[some] = rng.beta(self.rows[some][:, None], self.prior_rows, size)
        prior = self.centre(drawn) + self.between_sd * rng.standard_normal(drawn.shape)
        possible: Array = share * drawn + (1 - share) * prior
        return possible


def _worth_rows(codes: NDArray[np.int64], k: int, weights: Array | None) -> Array:
    """Rows of each segment, or as many as their weights are worth, shape ``(k,)``."""
    if weights is None:
        return np.bincount(codes, minlength=k).astype(np.float64)
    sums = np.bincount(codes, weights=weights, minlength=k)
    squares = np.bincount(codes, weights=weights**2, minlength=k)
    worth: Array = sums**2 / np.maximum(squares, np.finfo(np.float64).tiny)
    return worth


def segment_means(
    values: NDArray[Any], codes: NDArray[np.int64], k: int, weights: Array | None = None
) -> Array:
    """Mean of the rows of each segment, weighted or plain, shape ``(k,)``; 0 where there is none.

    Example:
        >>> segment_means(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2]), 3).tolist()
        [2.0, 0.0, 5.0]
    """
    told = np.asarray(values, dtype=np.float64)
    counted = np.ones(len(told)) if weights is None else weights
    sums = np.bincount(codes, weights=told * counted, minlength=k)
    whole = np.bincount(codes, weights=counted, minlength=k)
    means: Array = np.divide(sums, whole, out=np.zeros(k), where=whole > 0)
    return means


def drawn_means(
    values: NDArray[Any], codes: NDArray[np.int64], worlds: Worlds, weights: Array | None = None
) -> Array:
    """Mean of the rows of each segment in each world, shape ``(k, n_worlds)``; 0 without rows.

    Args:
        values: One value a row, shape ``(n,)``.
        codes: Segment of each row; the worlds must be drawn with ``truth=codes``.
        worlds: Resampled weights of the rows.
        weights: How much each row counts beside that, shape ``(n,)``; None counts all alike.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> codes = np.array([0, 0, 1])
        >>> worlds = Worlds.draw(codes, 2, Traffic(1), n_worlds=3, seed=0)
        >>> drawn_means(np.array([2.0, 2.0, 5.0]), codes, worlds).round(4).tolist()
        [[2.0, 2.0, 2.0], [5.0, 5.0, 5.0]]
    """
    k = worlds.mix.shape[1]
    own = codes == np.arange(k)[:, None]
    mix: Array = worlds.mix.T
    if weights is not None:
        values, mix = values * weights, worlds.mean_values(own * weights).astype(np.float64)
    summed = worlds.mean_values(values * own)
    means: Array = np.divide(summed, mix, out=np.zeros_like(summed), where=mix > 0)
    return means


def _variance_between(means: Array, variances: Array) -> float:
    """``τ²`` by adjusted likelihood over a grid of six decades around the sampling variances."""
    middle = math.exp(float(np.log(variances).mean()))
    spread = max(float(means.var()), middle)
    grid = np.geomspace(middle * 10**-_DECADES, spread * 10.0**_DECADES, _GRID)[:, None]
    total = grid + variances
    centre = (means / total).sum(axis=1, keepdims=True) / (1 / total).sum(axis=1, keepdims=True)
    fit = np.log(grid[:, 0]) - 0.5 * (np.log(total) + (means - centre) ** 2 / total).sum(axis=1)
    return float(grid[int(fit.argmax()), 0])
