"""Calibration measured, and fitted on rows that it is not measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError, DataError
from payoff.evidence.quality import Floats, Integers, checked

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature. Where every row is right the best one would be 0: certain for ever."""

_TOLERANCE = 1e-9
_LEAST_SHIFT = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of like confidence.

    Args:
        low: Confidence from here, exclusive (inclusive in the first bin).
        high: Up to here, inclusive.
        confidence: Their mean confidence; None in an empty bin.
        accuracy: Share of them that is right; None in an empty bin.
        n: How many they are.
    """

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    n: int

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def reliability(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, bins: int = 10
) -> tuple[Bin, ...]:
    """Confidence of the most probable label against how often it is right.

    Args:
        probabilities: ``(n, k)``.
        truth: ``(n,)``.
        bins: Number of bins of equal width; all are given, also empty ones.

    Raises:
        DataError: PF106 where there is no row.

    Example:
        >>> reliability([[0.9, 0.1], [0.2, 0.8]], [0, 0], bins=2)[1]
        Bin(low=0.5, high=1.0, confidence=0.85, accuracy=0.5, n=2)
    """
    p, y = checked(probabilities, truth)
    confidence = p.max(axis=1)
    counts, confidences, hits = _binned(confidence, p.argmax(axis=1) == y, bins, confidence)
    return tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            confidence=round(float(confidences[i] / n), 12) if n else None,
            accuracy=float(hits[i] / n) if n else None,
            n=int(n),
        )
        for i, n in enumerate(counts)
    )


def ece(probabilities: npt.ArrayLike, truth: npt.ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of the most probable label (Guo et al. 2017, equation 3).

    Args:
        probabilities: ``(n, k)``.
        truth: ``(n,)``.
        bins: Number of bins of equal width.

    Raises:
        DataError: PF106 where there is no row.

    Example:
        >>> round(ece([[0.9, 0.1], [0.9, 0.1]], [0, 1]), 3)
        0.4
    """
    p, y = checked(probabilities, truth)
    return _ece(p.max(axis=1), p.argmax(axis=1) == y, bins)


def classwise_ece(
    probabilities: npt.ArrayLike,
    truth: npt.ArrayLike,
    bins: int = 15,
    *,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Mean over labels of each one's calibration error (Kull et al. 2019, equation 3).

    Args:
        probabilities: ``(n, k)``.
        truth: ``(n,)``.
        bins: Number of bins of equal width.
        weights: How much each row counts, ``(n,)``; all the same where not given.

    Raises:
        DataError: PF106 where there is no row.

    Example:
        >>> round(classwise_ece([[0.9, 0.1], [0.9, 0.1]], [0, 1]), 3)
        0.4
    """
    p, y = checked(probabilities, truth)
    each = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    return float(
        np.mean([_ece(p[:, label], y == label, bins, each) for label in range(p.shape[1])])
    )


def _ece(
    confidence: Floats, hit: npt.NDArray[np.bool_], bins: int, weights: Floats | float = 1.0
) -> float:
    each = np.broadcast_to(weights, len(confidence))
    _, confidences, hits = _binned(confidence * each, hit * each, bins, confidence)
    return float(np.abs(confidences - hits).sum() / each.sum())


def _binned(
    told: Floats, hit: npt.NDArray[Any], bins: int, confidence: Floats
) -> tuple[Integers, Floats, Floats]:
    """Rows, summed ``told`` and ``hit`` of each bin of confidence, all ``(bins,)``."""
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    confidences = np.zeros(bins)
    hits = np.zeros(bins)
    np.add.at(confidences, place, told)
    np.add.at(hits, place, hit)
    return np.bincount(place, minlength=bins).astype(np.int64), confidences, hits


def fit_temperature(
    logits: npt.ArrayLike, truth: npt.ArrayLike, *, shift: npt.ArrayLike | None = None
) -> Calibration:
    """The temperature that makes the truth most likely.

    The loss is convex in ``1/T``, so that its slope has one zero at most: found by Newton's steps
    inside a bracket that halves where a step would leave it.

    Args:
        logits: ``(n, k)``, from rows that the model was not trained on.
        truth: ``(n,)``.
        shift: What each label's probability is multiplied by afterwards, before rows are brought
            to a sum of 1, since requests to come have another mix, ``(k,)``. The truth is then made
            most likely behind that shift, and each row counts as much as its label will occur.

    Returns:
        A temperature within 0.05 and 20, the bounds being taken where the rows allow no better:
        for example where every row is right.

    Raises:
        DataError: PF106 where there is no row.
        AdaptError: PF402 where a logit is not finite.

    Example:
        >>> calibration = fit_temperature([[3.0, 0.0]] * 3 + [[0.0, 3.0]], [0, 0, 0, 0])
        >>> round(calibration.temperature, 3)  # right in 3 of 4: 3 / T = ln 3
        2.731
    """
    z, y = checked(logits, truth)
    if not np.isfinite(z).all():
        raise AdaptError(
            "PF402", "logits", "not all are finite numbers", mend="Lower the learning rate."
        )
    z = z - z.max(axis=1, keepdims=True)
    behind, weights = shifted_rows(shift, y, z.shape[1])
    low, high = 1 / HOTTEST, 1 / COLDEST
    if _slope(z, y, low, behind, weights)[0] >= 0:
        return Calibration(HOTTEST)
    if _slope(z, y, high, behind, weights)[0] <= 0:
        return Calibration(COLDEST)
    sharpness = 1.0
    while high - low > _TOLERANCE * low:
        slope, curvature = _slope(z, y, sharpness, behind, weights)
        low, high = (low, sharpness) if slope > 0 else (sharpness, high)
        step = sharpness - slope / curvature if curvature > 0 else low
        if abs(step - sharpness) <= _TOLERANCE * sharpness:
            break
        sharpness = step if low < step < high else (low + high) / 2
    return Calibration(float(1 / sharpness))


def _slope(
    z: Floats, y: Integers, sharpness: float, behind: Floats, weights: Floats
) -> tuple[float, float]:
    """First and second derivative of the mean loss by ``1/T``."""
    p = np.exp(z * sharpness) * behind
    p /= p.sum(axis=1, keepdims=True)
    mean = (p * z).sum(axis=1)
    variance = (p * z * z).sum(axis=1) - mean * mean
    slope = mean - z[np.arange(len(y)), y]
    return float((weights * slope).mean()), float((weights * variance).mean())


def shifted_rows(
    shift: npt.ArrayLike | None, truth: Integers, n_labels: int
) -> tuple[Floats, Floats]:
    """A shift, 1 for none, and how much each row then counts, 1 on average.

    Args:
        shift: See `fit_temperature`.
        truth: ``(n,)``.
        n_labels: ``k``.

    Returns:
        ``(k,)`` and ``(n,)``. Rows count the same where none has a label that will occur.

    Example:
        >>> behind, weights = shifted_rows([3.0, 1.0], np.array([0, 1]), 2)
        >>> behind.tolist(), weights.tolist()
        ([3.0, 1.0], [1.5, 0.5])
    """
    if shift is None:
        return np.ones(n_labels), np.ones(len(truth))
    behind = np.asarray(shift, np.float64)
    weights = behind[truth]
    mean = weights.mean()
    if not mean > 0:
        return np.ones(n_labels), np.ones(len(truth))
    # A label that will not occur is kept possible, so that no row's loss is infinite.
    return np.maximum(behind, _LEAST_SHIFT * behind.max()), weights / mean


def cross_fitted(
    logits: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    folds: int = 2,
    seed: int = 0,
    fit: Callable[[Floats, Integers], Calibration] = fit_temperature,
) -> Floats:
    """Calibrated probabilities, none of them calibrated with its own row.

    Args:
        logits: ``(n, k)``.
        truth: ``(n,)``.
        folds: Parts; each is calibrated by what was fitted on the others. Labels are spread
            evenly over them.
        seed: Decides who is in which part.
        fit: From logits and truths to a calibration.

    Returns:
        ``(n, k)``; rows sum to 1.

    Raises:
        DataError: PF106 where there are fewer rows than folds.

    Example:
        >>> cross_fitted([[1.0, 0.0]] * 4, [0, 0, 1, 1]).sum(axis=1).round(6).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    z, y = checked(logits, truth)
    if not 2 <= folds <= len(y):
        raise DataError(
            "PF106", "calibration", f"{len(y)} rows for {folds} folds", expected="a row a fold"
        )
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_label = shuffled[np.argsort(y[shuffled], kind="stable")]
    fold = np.empty(len(y), dtype=np.int64)
    fold[by_label] = np.arange(len(y)) % folds
    probabilities = np.empty_like(z)
    for part in range(folds):
        inside = fold == part
        probabilities[inside] = fit(z[~inside], y[~inside]).apply(z[inside])
    return probabilities
