"""Gain: what asking the next tier is expected to bring, from what this tier knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.rising import RisingGroups
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

Array = NDArray[np.float64]

FEATURES = ("regret", "probability", "margin", "entropy", "value")
"""What a tier knows of a request beside the class it predicts, in the order of the weights."""

FORMS = ("isotonic", "linear", "by class")
"""What can be fitted, the plainest first; see `fit_gain`."""

ALWAYS = "always"
"""The form of a gain that knows no request at which to stop."""

_MOST = 1e100  # of any number: products of what is smaller are finite
_REGRET_PLACES = 9
_PENALTY = 1.0
"""Of the standardised features, in rows: next to none."""
_CLASS_PENALTY = 10.0
"""Of a class's own offset, in rows: with as many rows half of it is believed."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What one tier knows of some requests.

    Args:
        features: One column for each of `FEATURES`, ``(n, 5)``: the expected regret of its action,
            that is what knowing the truth would add; its largest probability; by how much that
            leads the second; the entropy of all in nats; the expected worth of its action.
        predicted: Its most probable class, ``(n,)``.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> known = Knowledge.of(policy, np.array([[0.9, 0.1], [0.5, 0.5]]))
        >>> known.features[:, :3].round(3)
        array([[1. , 0.9, 0.8],
               [5. , 0.5, 0. ]])
    """

    features: Array
    predicted: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        policy: Policy,
        probabilities: NDArray[np.floating[Any]],
        segments: Segments | None = None,
    ) -> Knowledge:
        """From calibrated probabilities, ``(n, k)``, and the segment of each request, ``(n,)``.

        The policy's penalties play no part: who answers a request does not depend on them, so
        that floors can be held on what a cascade has answered.

        Raises:
            EconomicsError: PF611 where they are no probabilities of the policy's labels.
        """
        p = policy.shifted(probabilities)
        return cls.of_shifted(policy, p, policy.tables.expected(p, segments), segments)

    @classmethod
    def of_shifted(
        cls, policy: Policy, p: Array, believed: Array, segments: Segments | None = None
    ) -> Knowledge:
        """From what the policy makes of the probabilities.

        Args:
            policy: What is worth what.
            p: Probabilities under the expected mix, ``(n, k)``.
            believed: What every action is then expected to be worth, ``(n, k+1)``.
            segments: Segment of each request, ``(n,)``; None where none is known.
        """
        values = believed.max(axis=1)
        predicted, rows = p.argmax(axis=1), np.arange(len(p))
        largest, others = p[rows, predicted], p.copy()
        others[rows, predicted] = -np.inf
        second = others.max(axis=1)
        scale = policy.tables.largest or 1.0
        regret = (policy.tables.best(p, segments) - values) / scale
        regret = (
            np.round(regret, _REGRET_PLACES) * scale
        )  # what is alike is not told apart by noise
        entropy = -np.sum(p * np.log(np.maximum(p, np.finfo(np.float64).tiny)), axis=1)
        columns = (regret, largest, largest - second, entropy, values)
        return cls(np.stack(columns, axis=1), predicted.astype(np.int64))

    def __len__(self) -> int:
        return len(self.predicted)

    def take(self, rows: NDArray[Any]) -> Knowledge:
        """The same of some rows."""
        return Knowledge(self.features[rows], self.predicted[rows])


@dataclass(frozen=True, eq=False)
class Gain:
    """A small regression, stored as numbers: what going on is worth more than stopping.

    ``score = intercept + features · weights + offsets[predicted]``, and the gain is the piecewise
    linear function of it through ``(knots, levels)``, level beyond the ends: no request is
    expected to gain more, or less, than any group of requests that it was learnt from.

    Args:
        weights: One for each of `FEATURES`, ``(5,)``.
        offsets: One for each predicted class, ``(k,)``.
        intercept: Where the score begins.
        knots: Scores, rising, ``(m,)``.
        levels: Money per request at the knots, ``(m,)``.
        form: What was fitted, one of `FORMS`, or `ALWAYS`.

    Raises:
        EconomicsError: PF613 where the numbers do not fit each other.

    Example:
        >>> gain = Gain(np.array([1.0, 0, 0, 0, 0]), np.zeros(2), 0.0, np.array([0.0, 5.0]),
        ...             np.array([-0.01, 2.0]), "isotonic")
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> gain.of(Knowledge.of(policy, np.array([[1.0, 0.0], [0.5, 0.5]])))
        array([-0.01,  2.  ])
    """

    weights: Array
    offsets: Array
    intercept: float
    knots: Array
    levels: Array
    form: str

    def __post_init__(self) -> None:
        arrays = (self.weights, self.offsets, self.knots, self.levels)
        usable = all(a.ndim == 1 and (np.abs(a) < _MOST).all() for a in arrays)
        if not (
            usable
            and abs(self.intercept) < _MOST
            and len(self.weights) == len(FEATURES)
            and len(self.knots) == len(self.levels) > 0
            and (np.diff(self.knots) >= 0).all()
        ):
            raise EconomicsError(
                "PF613",
                "policy [cascade], a gain",
                "its numbers do not fit each other",
                expected=f"{len(FEATURES)} weights, and as many levels as rising knots",
            )

    def of(self, known: Knowledge) -> Array:
        """Expected gain of each request, money net of what asking costs, ``(n,)``."""
        score = self.intercept + known.features @ self.weights + self.offsets[known.predicted]
        gain: Array = np.interp(score, self.knots, self.levels)
        return gain

    @classmethod
    def always(cls, n_labels: int, spread: float) -> Gain:
        """That of going on whatever is known.

        Args:
            n_labels: How many classes there are.
            spread: What it is told to bring, money, above 0.

        Example:
            >>> gain = Gain.always(2, 10.0)
            >>> gain.of(Knowledge(np.zeros((1, 5)), np.array([0])))
            array([10.])
        """
        nothing = np.zeros(len(FEATURES))
        return cls(nothing, np.zeros(n_labels), 0.0, np.zeros(1), np.full(1, spread), ALWAYS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives back the very same numbers."""
        arrays = ("weights", "offsets", "knots", "levels")
        return {name: getattr(self, name).tolist() for name in arrays} | {
            "intercept": self.intercept,
            "form": self.form,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Gain:
        """The inverse of `to_dict`.

        Raises:
            EconomicsError: PF613 where it is no gain.

        Example:
            >>> one = Gain(np.zeros(5), np.zeros(2), 0.0, np.zeros(1), np.ones(1), "isotonic")
            >>> Gain.from_dict(one.to_dict()).to_dict() == one.to_dict()
            True
        """
        try:
            arrays = [
                np.array(document[name], dtype=np.float64)
                for name in ("weights", "offsets", "knots", "levels")
            ]
            weights, offsets, knots, levels = arrays
            intercept, form = float(document["intercept"]), str(document["form"])
        except (KeyError, TypeError, ValueError) as error:
            raise EconomicsError(
                "PF613",
                "policy [cascade], a gain",
                f"it cannot be read ({error!r})",
                expected="weights, offsets, intercept, knots and levels",
            ) from error
        return cls(weights, offsets, intercept, knots, levels, form)


def fit_gain(
    form: str, known: Knowledge, gained: Array, n_labels: int, *, row_weights: Array
) -> Gain:
    """Fit a gain by weighted least squares.

    ``"isotonic"``: rising in the regret (pool adjacent violators, Barlow et al. 1972);
    ``"linear"``: in all features; ``"by class"``: that and an offset for each predicted class,
    shrunk towards none.

    Args:
        form: One of `FORMS`.
        known: What the tier knows of ``n`` requests.
        gained: What going on turned out to be worth more, net of what it costs, ``(n,)``.
        n_labels: How many classes there are.
        row_weights: Weight of each request, of mean 1, ``(n,)``.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> known = Knowledge.of(policy, np.array([[0.9, 0.1], [0.5, 0.5]]))
        >>> gain = fit_gain("isotonic", known, np.array([0.0, 4.0]), 2, row_weights=np.ones(2))
        >>> gain.knots, gain.levels
        (array([1., 1., 5., 5.]), array([0., 0., 4., 4.]))
    """
    weights, offsets, intercept = np.zeros(len(FEATURES)), np.zeros(n_labels), 0.0
    if form == "isotonic":
        weights[0] = 1.0
        regret = known.features[:, 0]
        groups = RisingGroups.of(regret, row_weights, np.argsort(regret, kind="stable"))
        knots, levels = groups.fitted(gained)
    else:
        knots = levels = np.array([gained.min(), gained.max()])
        fitted = _ridge(known, gained, row_weights, n_labels if form == "by class" else 0)
        weights, intercept = fitted[0], fitted[2]
        if form == "by class":
            offsets = fitted[1]
    return Gain(weights, offsets, intercept, knots, levels, form)


def _ridge(known: Knowledge, y: Array, w: Array, n_labels: int) -> tuple[Array, Array, float]:
    """Weights, offsets of ``n_labels`` classes, and intercept.

    A row has one class, so that the offsets follow from the weights, class by class, and are put
    in for them: what is solved is as large as the features are many (the Schur complement).
    """
    share = w / w.sum()
    centre = share @ known.features
    scale = np.sqrt(share @ (known.features - centre) ** 2)
    scale[scale <= 1e-12 * (1.0 + np.abs(centre))] = np.inf  # says nothing
    design = (known.features - centre) / scale
    mean = float(share @ y)
    weighted, off = design * w[:, None], y - mean
    left, right = weighted.T @ design + _PENALTY * np.eye(len(FEATURES)), weighted.T @ off
    offsets = np.zeros(0)
    if n_labels:
        own = [_by_class(column, known.predicted, n_labels) for column in weighted.T]
        cross = np.stack(own, axis=1)  # (k, 5)
        each = _by_class(w, known.predicted, n_labels) + _CLASS_PENALTY
        sums = _by_class(w * off, known.predicted, n_labels)
        left, right = left - cross.T @ (cross / each[:, None]), right - cross.T @ (sums / each)
    solved: Array = np.linalg.solve(left, right).astype(np.float64)
    if n_labels:
        offsets = (sums - cross @ solved) / each
    weights = solved / scale
    return weights, offsets, float(mean - centre @ weights)


def _by_class(amounts: Array, predicted: NDArray[np.int64], n_labels: int) -> Array:
    """Sum of the amounts of each predicted class, ``(n_labels,)``."""
    sums: Array = np.bincount(predicted, amounts, n_labels).astype(np.float64)
    return sums
