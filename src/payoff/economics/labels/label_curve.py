"""Label curve: how the worth of a request grows with the number of labels, and how sure that is.

The worth of a request is taken as ``π(n) = a − b · n^(−c)`` (Hestness et al. 2017, "Deep learning
scaling is predictable, empirically", arXiv:1712.00409, section 3; Viering and Loog 2023, "The shape
of learning curves: a review", IEEE TPAMI 45(6)), with ``b ≥ 0`` and ``0 < c ≤ 2``. It is fitted to
the worths of decisions on the same held-out rows, by models that learnt from nested subsets of the
training rows. Where the rows cannot tell a curve from a level, or the points do not lie on such a
curve, that is said, and there is no number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.labels.power_law import PowerLaws, chi_square_bound, fit_power_laws

Array = NDArray[np.float64]

LEAST_SIZES: Final = 4
LEAST_DRAWS: Final = 2
LEAST_ROWS: Final = 30
FURTHEST: Final = 4.0
"""How many times the largest measured size a curve may be read at."""

_CLEAR: Final = 6.0  # by how much χ² must fall when a level becomes a curve: 95 %, two more figures
_MISFIT: Final = 4.0  # standard normal; wide, since the noise through draws is itself estimated


@dataclass(frozen=True, eq=False, slots=True)
class Subsets:
    """Worths of decisions on held-out rows, by models that learnt from nested subsets.

    Args:
        sizes: Labels that were learnt from, rising, ``(n_sizes,)``.
        worths: Money per request, ``(n_draws, n_sizes, n_rows)``; the same held-out rows
            throughout, and in each draw every subset is part of the next.
        pool: Rows that the subsets were drawn from.

    Raises:
        EconomicsError: PF624 where the shapes do not fit, a size is not above the one before it or
            above the pool, or a worth is not finite.

    Example:
        >>> Subsets(np.array([10, 20]), np.zeros((2, 2, 5)), 20).means.tolist()
        [0.0, 0.0]
    """

    sizes: NDArray[np.int64]
    worths: Array
    pool: int

    def __post_init__(self) -> None:
        sizes, worths = np.asarray(self.sizes), self.worths
        told = f"{sizes.tolist()} labels, worths of the shape {worths.shape}, a pool of {self.pool}"
        rising = sizes.ndim == 1 and len(sizes) > 0 and sizes[0] >= 1 and (np.diff(sizes) > 0).all()
        fits = worths.ndim == 3 and worths.shape[1] == len(sizes) and 0 not in worths.shape
        if not (rising and fits and sizes[-1] <= self.pool and np.isfinite(worths).all()):
            raise EconomicsError(
                "PF624",
                "label curve",
                told,
                expected="rising sizes up to the pool, and finite worths (draws, sizes, rows)",
            )

    @property
    def means(self) -> Array:
        """Mean worth of a request at each size, ``(n_sizes,)``."""
        means: Array = self.worths.mean(axis=(0, 2))
        return means

    @property
    def n_draws(self) -> int:
        """Draws of nested subsets."""
        return int(self.worths.shape[0])

    @property
    def n_rows(self) -> int:
        """Held-out rows."""
        return int(self.worths.shape[2])

    def training_covariance(self) -> Array:
        """Covariance of the means through which rows happened to be learnt from.

        The variance over draws is taken as ``t / n``, as that of a mean of ``n`` rows is. Draws of
        one pool of ``N`` rows vary by ``t (1/n − 1/N)`` only, from which ``t`` is estimated; the
        pool itself varies by ``t / N``, and all sizes with it. A subset that holds another shares
        its rows: the covariance is that of the larger one.
        """
        n, d = self.sizes.astype(np.float64), self.n_draws
        seen = 1.0 / n - 1.0 / self.pool
        inner = seen > 0
        if d < LEAST_DRAWS or not inner.any():
            return np.zeros((len(n), len(n)))
        spread = self.worths.mean(axis=2).var(axis=0, ddof=1)
        freedom = (d - 1) * int(inner.sum())
        # Few draws: the variance of Student's t in place of the normal's.
        wider = freedom / (freedom - 2) if freedom > 2 else 3.0
        t = float((spread[inner] / seen[inner]).mean()) * wider
        larger = np.maximum(n[:, None], n[None, :])
        return np.asarray(t * ((1.0 / larger - 1.0 / self.pool) / d + 1.0 / self.pool))


@dataclass(frozen=True, eq=False)
class LabelCurve:
    """The worth of a request over the number of labels, as equally probable curves.

    Make it with `fit`.

    Args:
        sizes: Labels at the points, ``(n_sizes,)``.
        means: Measured worth of a request there, ``(n_sizes,)``.
        errors: Standard errors of these, ``(n_sizes,)``.
        level: ``a`` of each curve, ``(n_curves,)``; empty where nothing can be told.
        scale: ``b`` of each, likewise.
        exponent: ``c`` of each, likewise.
        doubt: Why nothing can be told; empty where something can.
        basis: Whose curve it is, where it is not that of the model itself.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> sizes = np.array([50, 100, 200, 400, 800])
        >>> sure = 1 - 4 * sizes ** -0.5
        >>> rows = rng.normal(sure[None, :, None], 0.05, (3, 5, 400))
        >>> curve = LabelCurve.fit(Subsets(sizes, rows, 800))
        >>> curve.doubt, bool(np.quantile(curve.at(1600), 0.05) < 0.9 < curve.at(1600).max())
        ('', True)
    """

    sizes: NDArray[np.int64]
    means: Array
    errors: Array
    level: Array
    scale: Array
    exponent: Array
    doubt: str = ""
    basis: str = ""

    @classmethod
    def fit(cls, subsets: Subsets, *, ceiling: float | None = None, seed: int = 0) -> LabelCurve:
        """Fit the curve.

        Args:
            subsets: What was measured.
            ceiling: Worth of a request if every answer were right: no curve ends above it.
            seed: The same seed gives the same curves.
        """
        return fit_together([subsets], ceiling=ceiling, seed=seed)[0]

    @classmethod
    def untold(cls, doubt: str) -> LabelCurve:
        """No curve: nothing was measured.

        Example:
            >>> LabelCurve.untold("no time was left").doubt
            'no time was left'
        """
        nothing = np.zeros(0)
        sizes = np.zeros(0, np.int64)
        return cls(sizes, nothing, nothing, nothing, nothing, nothing, doubt)

    def __len__(self) -> int:
        return len(self.level)

    @property
    def furthest(self) -> int:
        """The largest number of labels at which it may be read."""
        return int(FURTHEST * self.sizes[-1]) if len(self.sizes) else 0

    def at(self, n: float) -> Array:
        """Worth of a request with ``n`` labels on each curve, ``(n_curves,)``."""
        worth: Array = self.level - self.scale * float(n) ** -self.exponent
        return worth

    def slope(self, n: float) -> Array:
        """Worth of a request that one more label adds at ``n``, ``(n_curves,)``."""
        return np.asarray(self.scale * self.exponent * float(n) ** (-self.exponent - 1.0))

    def with_room(self, ceiling: float, ratio: Array, basis: str) -> LabelCurve:
        """The curve of another model that leaves ``ratio`` times as much to gain at every size.

        Args:
            ceiling: Worth of a request if every answer were right.
            ratio: Of what the other leaves over what this one leaves; one value or ``(n_curves,)``.
            basis: What to say of it.

        Example:
            >>> one = np.ones(1)
            >>> curve = LabelCurve(np.array([10]), one, one, 2 * one, 4 * one, one)
            >>> curve.with_room(3.0, np.array([0.5]), "half the room").at(10).tolist()
            [2.3]
        """
        middle = float(np.mean(ratio))
        return replace(
            self,
            means=ceiling - middle * (ceiling - self.means),
            errors=middle * self.errors,
            level=ceiling - ratio * (ceiling - self.level),
            scale=ratio * self.scale,
            basis=basis,
        )

    def as_dict(self, at: Sequence[float] = ()) -> dict[str, Any]:
        """Plain values: the points, and the curve's mean, 5 % and 95 % at some sizes."""
        points = [
            {"labels": int(n), "mean": float(mean), "error": float(error)}
            for n, mean, error in zip(self.sizes, self.means, self.errors, strict=True)
        ]
        line = [] if self.doubt else [{"labels": float(n)} | spread(self.at(n)) for n in at]
        return {"doubt": self.doubt, "basis": self.basis, "points": points, "line": line}


def spread(samples: Array) -> dict[str, float]:
    """Mean, 5 % and 95 % of samples.

    Example:
        >>> spread(np.array([0.0, 10.0]))
        {'mean': 5.0, 'low': 0.5, 'high': 9.5}
    """
    low, high = np.quantile(samples, (0.05, 0.95))
    return {"mean": float(samples.mean()), "low": float(low), "high": float(high)}


def fit_together(
    measured: Sequence[Subsets], *, ceiling: float | None = None, seed: int = 0
) -> tuple[LabelCurve, ...]:
    """Fit the curves of models that were judged on the same rows, so that they compare row by row.

    Curve ``i`` of one and curve ``i`` of another are equally probable together.

    Args:
        measured: Of each model.
        ceiling: Worth of a request if every answer were right.
        seed: The same seed gives the same curves.

    Raises:
        EconomicsError: PF624 where they were judged on different numbers of rows.

    Example:
        >>> few = Subsets(np.array([10, 20]), np.zeros((2, 2, 50)), 20)
        >>> fit_together([few])[0].doubt
        '2 sizes were measured, and a curve needs 4'
    """
    if len({one.n_rows for one in measured}) > 1:
        raise EconomicsError("PF624", "label curves", "they were judged on different rows")
    covariance = _covariance(measured)
    errors = np.split(
        np.sqrt(np.diag(covariance)), np.cumsum([len(m.sizes) for m in measured])[:-1]
    )
    doubts = [_too_few(one) for one in measured]
    laws: tuple[PowerLaws, ...] | None = None
    if not any(doubts):
        laws = fit_power_laws(
            [one.sizes.astype(np.float64) for one in measured],
            [one.means for one in measured],
            covariance,
            ceiling=ceiling,
            seed=seed,
        )
        doubts = [_unclear(one, law) for one, law in zip(measured, laws, strict=True)]
    nothing = np.zeros(0)
    return tuple(
        LabelCurve(
            one.sizes,
            one.means,
            error,
            *(
                (law.level, law.scale, law.exponent)
                if law is not None and not doubt
                else (nothing, nothing, nothing)
            ),
            doubt=doubt,
        )
        for one, error, doubt, law in zip(
            measured, errors, doubts, laws or [None] * len(measured), strict=True
        )
    )


def _covariance(measured: Sequence[Subsets]) -> Array:
    """Of all means: through the held-out rows, and through the rows learnt from."""
    rows = np.concatenate([one.worths.mean(axis=0) for one in measured])
    total = np.atleast_2d(np.cov(rows)) / max(rows.shape[1], 1)
    start = 0
    for one in measured:
        part = slice(start, start + len(one.sizes))
        total[part, part] += one.training_covariance()
        start += len(one.sizes)
    return np.asarray(total)


def _too_few(subsets: Subsets) -> str:
    """Why a curve cannot be looked for; empty where it can."""
    if len(subsets.sizes) < LEAST_SIZES:
        return f"{len(subsets.sizes)} sizes were measured, and a curve needs {LEAST_SIZES}"
    if subsets.n_draws < LEAST_DRAWS:
        return "each size was drawn once: how much the draw matters is not known"
    if subsets.n_rows < LEAST_ROWS:
        return f"{subsets.n_rows} rows judge it, and {LEAST_ROWS} are needed"
    if not subsets.worths.var(axis=2).any():
        return "every decision was worth the same"
    return ""


def _unclear(subsets: Subsets, law: PowerLaws) -> str:
    """Why the curve that was found tells nothing; empty where it does."""
    if not len(law.level):
        return "no rising curve that ends below perfect answers goes through the points"
    if law.misfit > chi_square_bound(len(subsets.sizes) - 3, _MISFIT):
        return "the points do not lie on a curve of this kind within their noise"
    if law.rise < _CLEAR:
        gain = subsets.means[-1] - subsets.means[0]
        return (
            f"from {subsets.sizes[0]} to {subsets.sizes[-1]} labels the worth of a request changed "
            f"by {gain:.3g}, which is within the noise"
        )
    return ""
