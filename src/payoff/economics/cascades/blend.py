"""Blend: what a model says of a request, joined with what was said of it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.folds import folds
from payoff.evidence.calibration import shifted_rows

if TYPE_CHECKING:
    from payoff.economics.cascades.cascade import CascadeTier

Array = NDArray[np.float64]
Classes = NDArray[np.int64]

_LEAST = 1e-9  # of a probability, so that its logarithm is a number
_MOST = 1000.0  # an exponent: what is near that has no doubt left
_PENALTY = 1.0  # rows' worth of belief that a model says all there is to know
_STEPS = 30
_HALVINGS = 30
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Blend:
    """A logarithmic pool of two probabilities: ``p ∝ before ** a · own ** b``.

    Models that err on different requests say more together than the better one of them alone. In
    a cascade the cheap model's answer is there already when the dear one is asked, so that taking
    it into account costs nothing (Heskes 1998, "Selecting weighting factors in logarithmic opinion
    pools", equation 2).

    Args:
        before: The exponent ``a`` of what was said before; 0 leaves it out.
        own: The exponent ``b`` of what the model itself says.

    Raises:
        EconomicsError: PF613 where an exponent is negative, above 1,000 or not finite.

    Example:
        >>> Blend(1.0, 1.0).of(np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]]))
        array([[0.8, 0.2]])
    """

    before: float = 0.0
    own: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.before <= _MOST and 0 <= self.own <= _MOST):
            raise EconomicsError(
                "PF613",
                "policy [cascade], a blend",
                f"exponents {self.before} and {self.own}",
                expected=f"two numbers from 0 to {_MOST:g}",
            )

    def of(self, before: NDArray[np.floating[Any]], own: NDArray[np.floating[Any]]) -> Array:
        """Both joined, ``(n, k)``; rows sum to 1.

        Args:
            before: What was said before, ``(n, k)``.
            own: What the model says, ``(n, k)``.
        """
        if self == ALONE:
            return np.asarray(own, np.float64)
        return _normalised(self.before * _log(before) + self.own * _log(own))

    def to_list(self) -> list[float]:
        """Both exponents, for JSON."""
        return [self.before, self.own]

    @classmethod
    def from_list(cls, content: Any) -> Blend:
        """The inverse of `to_list`.

        Raises:
            TypeError, ValueError: Where it is not two numbers.
            EconomicsError: PF613 where one is negative or not finite.

        Example:
            >>> Blend.from_list([0.5, 1.0])
            Blend(before=0.5, own=1.0)
        """
        before, own = content
        return cls(float(before), float(own))


ALONE = Blend()
"""A model that answers alone."""


def fit_blend(
    before: Array,
    own: Array,
    truth: Classes,
    *,
    shift: Array | None = None,
    row_weights: Array | None = None,
) -> Blend:
    """The blend that makes the truth most likely.

    Its log loss is convex in the two exponents: found by Newton's steps, halved where one would
    lead up. A row's worth of belief holds it to the model alone, which it is as well where what was
    said before would have to count against itself.

    Args:
        before: What was said before, ``(n, k)``, by what knew none of the rows.
        own: What the model says, ``(n, k)``, likewise.
        truth: Classes, ``(n,)``.
        shift: What a policy multiplies each label's probability by, ``(k,)``; see
            `payoff.evidence.calibration.fit_temperature`.
        row_weights: Weight of each row, ``(n,)``; None where they follow from the shift.

    Example:
        >>> truth = np.tile([0, 1], 50)
        >>> sure, unsure = np.eye(2)[truth] * 0.8 + 0.1, np.full((100, 2), 0.5)
        >>> fit_blend(sure, unsure, truth).before > 1 > fit_blend(unsure, sure, truth).before
        True
    """
    return _Loss.of(before, own, truth, shift, row_weights).least()[0]


@dataclass(frozen=True, eq=False)
class Blends:
    """How each model is joined with those that were asked before it, learnt when it is needed.

    That depends on no payoff: whoever solves cascades of the same models under several payoffs
    hands over the same blends.

    Args:
        truth: Classes of the held-out requests, ``(n,)``.
        shift: As `fit_blend` has it, ``(k,)``; None where their mix is that to come.
        row_weights: As `fit_blend` has them, ``(n,)``.
        seed: Decides who is in which fold.

    Example:
        >>> from payoff.economics.cascades.cascade import CascadeTier
        >>> truth = np.tile([0, 1], 50)
        >>> words = CascadeTier("words", np.eye(2)[truth] * 0.8 + 0.1, 0.0)
        >>> unsure = CascadeTier("unsure", np.full((100, 2), 0.5), 0.1)
        >>> blend, said = Blends(truth).of([words, unsure])
        >>> blend.before > 1, bool((said.argmax(axis=1) == truth).all())
        (True, True)
    """

    truth: Classes
    shift: Array | None = None
    row_weights: Array | None = None
    seed: int = 0
    _known: dict[tuple[str, ...], tuple[Blend, Array]] = field(
        default_factory=dict, init=False, repr=False
    )

    def of(self, tiers: Sequence[CascadeTier]) -> tuple[Blend, Array]:
        """How the last of some models is joined with those before it.

        Args:
            tiers: In the order in which they are asked; told apart by their names.

        Returns:
            The blend, learnt from all requests, and what is then said of each of them, ``(n, k)``,
            by one that was learnt from the others: by that of all, less one Newton's step for
            what its fold taught, which is next to it.
        """
        *earlier, last = tiers
        if not earlier:
            return ALONE, last.probabilities
        names = tuple(tier.name for tier in tiers)
        if names not in self._known:
            self._known[names] = self._learnt(self.of(earlier)[1], last.probabilities)
        return self._known[names]

    def _learnt(self, before: Array, own: Array) -> tuple[Blend, Array]:
        """The blend, and each fold joined by it less one Newton's step for what the fold taught."""
        blend, bend = _Loss.of(before, own, self.truth, self.shift, self.row_weights).least()
        said = np.array(own, np.float64)
        if blend == ALONE:
            return blend, said
        for inside in folds(len(own), self.seed):
            others = np.delete(np.arange(len(own)), inside)
            slope, curvature = bend.of(others)
            without = _blend_at(_exponents(blend) - np.linalg.solve(curvature, slope))
            said[inside] = without.of(before[inside], own[inside])
        return blend, said


def blends_from(document: Mapping[str, Any], n_tiers: int) -> tuple[Blend, ...]:
    """Those of a cascade's document; none is joined where it has none, as older ones have not.

    Raises:
        TypeError, ValueError: Where they are no pairs of numbers, one for each tier but the first.
        EconomicsError: PF613 where an exponent is negative or not finite.

    Example:
        >>> blends_from({}, 2)
        (Blend(before=0.0, own=1.0),)
    """
    if "blends" not in document:
        return (ALONE,) * (n_tiers - 1)
    blends = tuple(map(Blend.from_list, document["blends"]))
    if len(blends) != n_tiers - 1:
        raise ValueError(f"{len(blends)} blends for {n_tiers} tiers")
    return blends


def _log(probabilities: NDArray[np.floating[Any]]) -> Array:
    logs: Array = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))
    return logs


def _normalised(logs: Array) -> Array:
    raised: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    raised /= raised.sum(axis=1, keepdims=True)
    return raised


def _exponents(blend: Blend) -> Array:
    return np.array([blend.before, blend.own])


def _blend_at(x: Array) -> Blend:
    """Of these exponents; the model alone where one would count against itself."""
    return ALONE if x.min() <= 0 else Blend(*map(float, x))


@dataclass(frozen=True, eq=False)
class _Bend:
    """Slope and curvature of the loss at some exponents, row by row.

    Args:
        x: The exponents, ``(2,)``.
        loss: Of all rows.
        slopes: ``(2, n)``.
        curvatures: By the first exponent twice, by both, by the second twice, ``(3, n)``.
    """

    x: Array
    loss: float
    slopes: Array
    curvatures: Array

    def of(self, rows: Classes | slice) -> tuple[Array, Array]:
        """Slope ``(2,)`` and curvature ``(2, 2)`` of some rows and the belief."""
        first, both, second = self.curvatures[:, rows].sum(axis=1)
        slope = self.slopes[:, rows].sum(axis=1) + _PENALTY * (self.x - _exponents(ALONE))
        curvature = np.array([[first, both], [both, second]]) + _PENALTY * np.eye(2)
        return slope, curvature


@dataclass(frozen=True, eq=False)
class _Loss:
    """Log loss of the joined probabilities, as a function of the two exponents.

    Args:
        logs: Of both probabilities, ``(2, n, k)``.
        behind: What is added to them by the shift, ``(k,)``.
        truth: ``(n,)``.
        weights: Of each row, ``(n,)``.
    """

    logs: Array
    behind: Array
    truth: Classes
    weights: Array

    @classmethod
    def of(
        cls,
        before: Array,
        own: Array,
        truth: Classes,
        shift: Array | None,
        row_weights: Array | None,
    ) -> _Loss:
        """As `fit_blend` has them."""
        factors, weights = shifted_rows(shift, truth, own.shape[1])
        if row_weights is not None:
            weights = row_weights
        return cls(np.stack([_log(before), _log(own)]), np.log(factors), truth, weights)

    def least(self) -> tuple[Blend, _Bend]:
        """Where it is least, and how it bends there."""
        here = self.at(_exponents(ALONE))
        for _ in range(_STEPS):
            slope, curvature = here.of(slice(None))
            step = np.linalg.solve(curvature, slope)
            if np.abs(step).max() <= _TOLERANCE:
                break
            for _ in range(_HALVINGS):
                tried = self.at(here.x - step)
                if tried.loss <= here.loss:
                    break
                step = step / 2
            else:
                break
            here = tried
        return _blend_at(here.x), here

    def at(self, x: Array) -> _Bend:
        """How it bends at some exponents."""
        rows = np.arange(len(self.truth))
        p = _normalised(x[0] * self.logs[0] + x[1] * self.logs[1] + self.behind)
        weighed = p * self.logs
        means = weighed.sum(axis=2)
        pairs = ((0, 0), (0, 1), (1, 1))
        curvatures = [
            np.einsum("nk,nk->n", weighed[i], self.logs[j]) - means[i] * means[j] for i, j in pairs
        ]
        losses = -np.log(np.maximum(p[rows, self.truth], np.finfo(np.float64).tiny))
        away = x - _exponents(ALONE)
        return _Bend(
            x,
            float(losses @ self.weights + _PENALTY * (away @ away) / 2),
            (means - self.logs[:, rows, self.truth]) * self.weights,
            np.stack(curvatures) * self.weights,
        )
