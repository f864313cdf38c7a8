"""Worlds: equally probable states of what is not known, the same for every plan."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.row_weights import RowWeights
from payoff.economics.traffic import Traffic

Array = NDArray[np.float64]

_ALIKE: Final = 1e-12  # growth that differs by no more is rounding
_MOST_MIXES: Final = 1_000_000  # shares that are kept for other worlds
_MIX, _TRAFFIC, _MINUTES, _PRICES = range(2, 6)  # 1 and 6 are those of `RowWeights`


@dataclass(frozen=True, eq=False, kw_only=True)
class Worlds:
    """Draws of row weights, label mix, traffic, people's minutes and cloud prices.

    World ``w`` is one way in which things may be. All plans are valued in the same worlds (common
    random numbers), so that the difference of two plans is known far better than either.

    - **Row weights**: within each class, test rows are weighted by a flat Dirichlet distribution,
      which is Rubin's Bayesian bootstrap (Rubin 1981, "The Bayesian bootstrap", Annals of
      Statistics 9(1)), drawn as exponentials over their sum.
    - **Label mix**: classes are weighted by ``Dirichlet(concentration · mix)``. With the mix of
      the test rows and ``concentration = n`` the two together are the plain Bayesian bootstrap.
    - **One row more of each label**, where the expected mix is stated: then a label may weigh much
      that has few test rows or none. What its few rows do not show is taken to be as any row of the
      expected mix may be, drawn anew in each world. Without it a label of one row would be known
      for sure, and intervals over many labels would be too narrow.
    - **Traffic**: `Traffic.draws`. **Minutes and prices**: lognormal factors of mean 1.

    Each part has its own random stream, so that another horizon or another spread leaves the
    others as they were. What is not in it: that a month's requests are themselves a sample of the
    requests that could come. With ``r`` requests a month this adds a relative error of the order
    of ``1 / sqrt(r)``, which matters below some thousand.

    Make them with `draw`.

    Args:
        seed: Seed of all streams.
        truth: Indices of the true labels of the ``n`` test rows, shape ``(n,)``.
        mix: Share of each class, shape ``(n_worlds, k)``, rows summing to 1; 0 for classes that
            no test row has, unless a row is borrowed for them.
        requests: Requests, shape ``(n_worlds, months)``.
        minutes_factor: What people's minutes are multiplied by, shape ``(n_worlds,)``.
        price_factor: What cloud prices are multiplied by, shape ``(n_worlds,)``.
        absent: Indices of classes that no test row has.
        absent_share: Their share of the expected mix, valued like the others.
        likely: How likely each row, sorted by class, is to be borrowed, shape ``(n,)``; None where
            no row is.

    Example:
        >>> truth = np.array([0, 0, 1, 1])
        >>> worlds = Worlds.draw(truth, 2, Traffic(1000), n_worlds=500, seed=1)
        >>> worlds.weights.shape, bool(np.allclose(worlds.weights.sum(axis=1), 1, atol=1e-6))
        ((500, 4), True)
        >>> worlds.mean_values(np.array([[2.0, 2.0, 2.0, 2.0]])).round(4)[0, :2].tolist()
        [2.0, 2.0]
    """

    seed: int
    truth: NDArray[np.int64]
    mix: Array
    requests: Array
    minutes_factor: Array
    price_factor: Array
    absent: tuple[int, ...] = ()
    absent_share: float = 0.0
    likely: Array | None = None

    @classmethod
    def draw(
        cls,
        truth: NDArray[np.integer[Any]],
        k: int,
        traffic: Traffic,
        *,
        months: int = 12,
        n_worlds: int = 2000,
        seed: int,
        expected_mix: NDArray[np.floating[Any]] | None = None,
        mix_concentration: float | None = None,
        person_spread: float = 0.1,
        price_spread: float = 0.05,
    ) -> Worlds:
        """Draw worlds.

        Args:
            truth: Indices of the true labels of the test rows, shape ``(n,)``.
            k: Number of labels.
            traffic: Expected traffic.
            months: Months of the horizon.
            n_worlds: Number of worlds.
            seed: The same seed gives the same worlds.
            expected_mix: Shares of the labels among the requests to come, shape ``(k,)``; None
                where they come as in the test rows.
            mix_concentration: How sure the mix is, as a number of rows seen; None is ``n``.
            person_spread: Standard deviation of the logarithm of people's minutes.
            price_spread: Standard deviation of the logarithm of cloud prices.

        Raises:
            EconomicsError: PF618 where there are no rows, or a figure is out of range.
        """
        rows = np.asarray(truth, dtype=np.int64)
        _check(rows, k, months=months, n_worlds=n_worlds, spreads=(person_spread, price_spread))
        counts = np.bincount(rows, minlength=k).astype(np.float64)
        expected = counts if expected_mix is None else np.asarray(expected_mix, dtype=np.float64)
        concentration = float(len(rows)) if mix_concentration is None else mix_concentration
        shares = _shares(expected, k, concentration)
        present = counts > 0
        absent_share = float(shares[~present].sum())
        mix = np.zeros((n_worlds, k))
        drawn = present & (shares > 0)
        if not drawn.any():
            raise EconomicsError("PF618", "worlds", "no test row has a label of the expected mix")
        likely = None
        if expected_mix is not None:
            likely = (shares / np.maximum(counts, 1))[np.sort(rows)]
            likely /= likely.sum()
            drawn = shares > 0
        alpha = concentration * shares[drawn] / shares[drawn].sum()
        few = n_worlds * len(alpha) <= _MOST_MIXES
        draw = _mixes if few else _mixes.__wrapped__
        mix[:, drawn] = draw(seed, tuple(alpha.tolist()), n_worlds)
        return cls(
            seed=seed,
            truth=rows,
            mix=mix,
            requests=traffic.draws([seed, _TRAFFIC], n_worlds, months),
            minutes_factor=_factors(_stream(seed, _MINUTES), person_spread, n_worlds),
            price_factor=_factors(_stream(seed, _PRICES), price_spread, n_worlds),
            absent=tuple(int(i) for i in np.flatnonzero(~present & (shares > 0))),
            absent_share=absent_share,
            likely=likely,
        )

    @property
    def n_worlds(self) -> int:
        """Number of worlds."""
        return len(self.mix)

    @property
    def n_rows(self) -> int:
        """Number of test rows."""
        return len(self.truth)

    @property
    def months(self) -> int:
        """Months of the horizon."""
        return int(self.requests.shape[1])

    @cached_property
    def posted_requests(self) -> Array:
        """`requests`, with months that are all alike told once: ``(n_worlds, months)`` or ``1``.

        All amounts of a month follow from its requests, so that like months are posted once.
        """
        first = self.requests[:, :1]
        return np.ascontiguousarray(first) if (self.requests == first).all() else self.requests

    @cached_property
    def growth(self) -> Array | None:
        """Requests of each month over those of the first, shape ``(months,)``.

        None where worlds differ in it, or where all months are alike.
        """
        first = self.requests[:, :1]
        if self.posted_requests.shape[1] == 1 or (first <= 0).any():
            return None
        growth: Array = self.requests.mean(axis=0) / first.mean()
        apart = np.abs(self.requests / first - growth) > _ALIKE * growth
        return None if apart.any() else growth

    @cached_property
    def by_traffic(self) -> NDArray[np.intp]:
        """The worlds in the order of their requests in the first month, shape ``(n_worlds,)``."""
        return np.argsort(self.requests[:, 0], kind="stable")

    @cached_property
    def mean_requests(self) -> Array:
        """Requests of the mean month, shape ``(n_worlds,)``."""
        mean: Array = self.requests.mean(axis=1)
        return mean

    @cached_property
    def factor_ends(self) -> tuple[Array, Array]:
        """5 % and 95 % of the minutes' and of the prices' factor."""
        ends = (0.05, 0.95)
        return np.quantile(self.minutes_factor, ends), np.quantile(self.price_factor, ends)

    @cached_property
    def row_weights(self) -> RowWeights:
        """Weight of each row in each world, drawn where it is needed."""
        return RowWeights.like(self.seed, self.truth, self.mix, self.likely)

    @property
    def weights(self) -> NDArray[np.float32]:
        """Weight of each row in each world, shape ``(n_worlds, n)``, in the order of the rows.

        For looking at; `mean_values` does not need it all at once.
        """
        return self.row_weights.table

    def mean_values(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Mean of each plan's row values in each world: one matrix product a block of worlds.

        Args:
            values: Value of each test row under each plan, shape ``(n_plans, n)``.

        Returns:
            Means, shape ``(n_plans, n_worlds)``. They are computed in float32: about six digits.

        Raises:
            EconomicsError: PF618 where the number of rows differs.
        """
        if values.ndim != 2 or values.shape[1] != self.n_rows:
            raise EconomicsError(
                "PF618", "row values", f"shape {values.shape}", expected=f"(n_plans, {self.n_rows})"
            )
        return self.row_weights.means(values)

    def mix_effects(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Mean of each plan's row values in each world as far as the mix alone decides it.

        ``Σ_i mix_i · m̄_i``, with ``m̄_i`` the plain mean of class ``i``, a borrowed row counted.

        Args:
            values: Value of each test row under each plan, shape ``(n_plans, n)``.

        Returns:
            Means, shape ``(n_plans, n_worlds)``, in float32 as those of `mean_values`.
        """
        means = self.class_means(values)
        if self.likely is not None:
            counts = np.bincount(self.truth, minlength=self.mix.shape[1])
            borrowed = values[:, np.argsort(self.truth, kind="stable")] @ self.likely
            means = (counts * means + borrowed[:, None]) / (counts + 1)
        effects: NDArray[np.float32] = means.astype(np.float32) @ self._mix_rows
        return effects

    def class_means(self, values: NDArray[np.floating[Any]]) -> Array:
        """Plain mean of row values within each class, shape ``(n_plans, k)``; 0 without rows."""
        k = self.mix.shape[1]
        counts = np.maximum(np.bincount(self.truth, minlength=k), 1)
        means = np.empty((len(values), k))
        for mean, row in zip(means, values, strict=True):
            mean[:] = np.bincount(self.truth, weights=row, minlength=k) / counts
        return means

    @cached_property
    def key(self) -> str:
        """What tells these worlds from others, to keep unlike forecasts apart."""
        digest = hashlib.sha256(str(self.seed).encode())
        factors = (self.minutes_factor, self.price_factor)
        parts: tuple[NDArray[Any], ...] = (self.truth, self.mix, self.requests, *factors)
        if self.likely is not None:
            parts = (*parts, self.likely)
        for array in parts:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def _mix_rows(self) -> NDArray[np.float32]:
        """The mix by class, ``(k, n_worlds)``."""
        return np.ascontiguousarray(self.mix.T, dtype=np.float32)


@lru_cache(maxsize=2)
def _mixes(seed: int, alpha: tuple[float, ...], n_worlds: int) -> Array:
    """Mixes of labels; those of the validation and of the test rows of a run are drawn once."""
    return _stream(seed, _MIX).dirichlet(alpha, size=n_worlds)


def _stream(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _factors(rng: np.random.Generator, spread: float, n_worlds: int) -> Array:
    """Lognormal factors of mean 1."""
    factors: Array = np.exp(spread * rng.standard_normal(n_worlds) - spread**2 / 2.0)
    return factors


def _shares(expected: Array, k: int, concentration: float) -> Array:
    good = expected.shape == (k,) and bool(np.isfinite(expected).all() and (expected >= 0).all())
    if not good or expected.sum() <= 0 or not (concentration > 0 and math.isfinite(concentration)):
        raise EconomicsError(
            "PF618",
            "worlds",
            f"the expected mix is {expected}, its concentration {concentration}",
            expected=f"{k} shares of 0 or more, and a concentration above 0",
        )
    shares: Array = expected / expected.sum()
    return shares


def _check(
    truth: NDArray[np.int64], k: int, *, months: int, n_worlds: int, spreads: tuple[float, ...]
) -> None:
    rows_good = truth.ndim == 1 and len(truth) > 0 and truth.min() >= 0 and truth.max() < k
    spreads_good = all(math.isfinite(spread) and spread >= 0 for spread in spreads)
    if not (rows_good and months >= 1 and n_worlds >= 1 and spreads_good):
        found = f"rows {truth.shape}, {k} labels, {months} months, {n_worlds} worlds, {spreads}"
        expected = "test rows with labels 0 to k-1, a month, a world, spreads of 0 or more"
        raise EconomicsError("PF618", "worlds", found, expected=expected)
