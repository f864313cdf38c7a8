"""Calibrations that have more numbers than a temperature: vector, isotonic, Venn–Abers."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from payoff.artifact.calibration import Calibration, Curve
from payoff.evidence.calibration import fit_temperature, shifted_rows
from payoff.evidence.quality import Floats, Integers, checked

_SCALE_SPREAD, _BIAS_SPREAD = 0.25, 0.5  # how far a scale lies from 1 and a bias from 0, usually
_STEPS, _SMALL_STEP = 50, 1e-10
_MOST_KNOTS = 256
_DIGITS = 9


def fit_vector(
    logits: npt.ArrayLike, truth: npt.ArrayLike, *, shift: npt.ArrayLike | None = None
) -> Calibration:
    """Vector scaling: a scale and a bias a label, on the logarithms of tempered probabilities.

    Guo et al. 2017, section 4.2. With a few rows a label, ``2k`` free numbers would learn the rows
    by heart, so that scales are held near 1 and biases near 0 by normal priors (standard deviations
    0.25 and 0.5): the more rows, the less these count. The loss is strictly convex; Newton's steps
    with halving find its minimum.

    Args:
        logits: ``(n, k)``, from rows that the model was not trained on.
        truth: ``(n,)``.
        shift: See `fit_temperature`.

    Raises:
        DataError: PF106 where there is no row.
        AdaptError: PF402 where a logit is not finite.

    Example:
        >>> found = fit_vector([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]] * 20, [0, 1, 1] * 20)
        >>> found.biases[1] > found.biases[0]  # the second label comes more often than told
        True
    """
    z, y = checked(logits, truth)
    temperature = fit_temperature(z, y, shift=shift).temperature
    z = z / temperature
    z -= z.max(axis=1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
    k = z.shape[1]
    behind, weights = shifted_rows(shift, y, k)
    rows = _Rows(z, y, np.log(behind), weights)
    mean = np.concatenate([np.ones(k), np.zeros(k)])
    pull = np.concatenate([np.full(k, _SCALE_SPREAD**-2), np.full(k, _BIAS_SPREAD**-2)])
    numbers = mean.copy()
    loss, p = _vector_loss(rows, numbers, mean, pull)
    for _ in range(_STEPS):
        direction = _newton_step(rows, p, pull, pull * (numbers - mean))
        size = 1.0
        while size > _SMALL_STEP:
            tried = numbers - size * direction
            new, p_new = _vector_loss(rows, tried, mean, pull)
            if new <= loss:
                break
            size /= 2
        else:
            break
        gained, numbers, loss, p = loss - new, tried, new, p_new
        if gained <= _SMALL_STEP * abs(loss):
            break
    scales, biases = numbers[:k], numbers[k:]
    return Calibration(temperature, "vector", scales=_plain(scales), biases=_plain(biases))


class _Rows(NamedTuple):
    """Log-probabilities, truth, the logarithm of the shift, and how much each row counts."""

    z: Floats
    y: Integers
    behind: Floats
    weights: Floats


def _vector_loss(rows: _Rows, numbers: Floats, mean: Floats, pull: Floats) -> tuple[float, Floats]:
    """Summed loss with the priors, and the probabilities."""
    k = rows.z.shape[1]
    scaled = rows.z * numbers[:k] + numbers[k:] + rows.behind
    scaled -= scaled.max(axis=1, keepdims=True)
    p = np.exp(scaled)
    total = p.sum(axis=1, keepdims=True)
    losses = np.log(total[:, 0]) - scaled[np.arange(len(rows.y)), rows.y]
    prior = 0.5 * (pull * (numbers - mean) ** 2).sum()
    return float((rows.weights * losses).sum() + prior), p / total


def _newton_step(rows: _Rows, p: Floats, pull: Floats, slope: Floats) -> Floats:
    """The Hessian's solution for the gradient, ``(2k,)``."""
    z, each = rows.z, rows.weights[:, None]
    k = z.shape[1]
    off = p.copy()
    off[np.arange(len(rows.y)), rows.y] -= 1
    off *= each
    gradient = np.concatenate([(off * z).sum(axis=0), off.sum(axis=0)]) + slope
    both = np.concatenate([p * z, p], axis=1)
    hessian = -(both * each).T @ both
    p = p * each
    place = np.arange(k)
    hessian[place, place] += (p * z * z).sum(axis=0)
    hessian[place, place + k] += (p * z).sum(axis=0)
    hessian[place + k, place] += (p * z).sum(axis=0)
    hessian[place + k, place + k] += p.sum(axis=0)
    hessian[np.diag_indices(2 * k)] += pull
    step: Floats = np.linalg.solve(hessian, gradient)
    return step


def fit_isotonic(
    logits: npt.ArrayLike, truth: npt.ArrayLike, *, shift: npt.ArrayLike | None = None
) -> Calibration:
    """Isotonic regression of each label's frequency on its probability, one label at a time.

    Zadrozny & Elkan 2002. A curve from ``n`` rows is mixed with the diagonal as if that were one
    row more, so that nothing becomes impossible and ties stay in order. A label that none of the
    rows has keeps its probability.

    Args:
        logits: ``(n, k)``, from rows that the model was not trained on.
        truth: ``(n,)``.
        shift: Not looked at: a curve tells how often a label occurs among rows like these, which
            the shift then turns into what it will be among those to come.

    Raises:
        DataError: PF106 where there is no row.
        AdaptError: PF402 where a logit is not finite.

    Example:
        >>> one = fit_isotonic([[2.0, 0.0]] * 10 + [[0.0, 2.0]] * 10, [0] * 9 + [1] * 11)
        >>> one.apply([[2.0, 0.0]]).round(2)
        array([[0.9, 0.1]])
    """
    return _label_by_label(logits, truth, "isotonic", _isotonic_curve)


def fit_venn_abers(
    logits: npt.ArrayLike, truth: npt.ArrayLike, *, shift: npt.ArrayLike | None = None
) -> Calibration:
    """Inductive Venn–Abers prediction, one label against the rest.

    Vovk, Petej & Fedorova 2015, "Large-scale probabilistic predictors with and without guarantees
    of validity": with a row of score ``s`` added once as a miss and once as a hit, isotonic
    regression says ``p0(s)`` and ``p1(s)``, which become ``p1 / (1 − p0 + p1)`` (section 4, for log
    loss). Labels are taken one by one and brought to a sum of 1, as Zadrozny & Elkan 2002 do;
    Manokhin 2017 couples pairs instead, whose number grows with the square of the labels'. Between
    the scores seen, a curve is read linearly, where the definition has steps.

    Args:
        logits: ``(n, k)``, from rows that the model was not trained on.
        truth: ``(n,)``.
        shift: Not looked at: a curve tells how often a label occurs among rows like these, which
            the shift then turns into what it will be among those to come.

    Raises:
        DataError: PF106 where there is no row.
        AdaptError: PF402 where a logit is not finite.

    Example:
        >>> one = fit_venn_abers([[2.0, 0.0]] * 8 + [[0.0, 2.0]] * 8, [0] * 8 + [1] * 8)
        >>> one.apply([[2.0, 0.0]]).round(2)  # p0 = 8/9, p1 = 1: 1 / (1 − 8/9 + 1)
        array([[0.9, 0.1]])
    """
    return _label_by_label(logits, truth, "venn-abers", _venn_abers_curve)


class Fit(Protocol):
    """From logits and truths to a calibration; see `fit_temperature`."""

    def __call__(
        self, logits: Floats, truth: Integers, *, shift: npt.ArrayLike | None = None
    ) -> Calibration:
        """Fit it."""


CALIBRATIONS: MappingProxyType[str, Fit] = MappingProxyType(
    {
        "temperature": fit_temperature,
        "vector": fit_vector,
        "isotonic": fit_isotonic,
        "venn-abers": fit_venn_abers,
    }
)
"""Every method and what fits it, the plainest first."""


def _label_by_label(
    logits: npt.ArrayLike,
    truth: npt.ArrayLike,
    method: str,
    curve: Callable[[Floats, Floats, Floats], tuple[Floats, Floats]],
) -> Calibration:
    z, y = checked(logits, truth)
    plain = fit_temperature(z, y)
    p = plain.apply(z).round(_DIGITS)  # what is the same on disk is a tie here
    curves = []
    for label in range(p.shape[1]):
        scores, place, rows = np.unique(p[:, label], return_inverse=True, return_counts=True)
        hits = np.bincount(place, weights=y == label).astype(np.float64)
        curves.append(_polyline(*curve(scores, hits, rows.astype(np.float64))))
    return Calibration(plain.temperature, method, curves=tuple(curves))


def _runs(hits: Floats, rows: Floats) -> tuple[Integers, Integers]:
    """First and last place of every run of scores with one and the same frequency."""
    frequency = hits / rows
    first = np.flatnonzero(np.concatenate([[True], frequency[1:] != frequency[:-1]]))
    return first, np.concatenate([first[1:], [len(hits)]]) - 1


def _isotonic_curve(scores: Floats, hits: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Knots and heights by pool-adjacent-violators (Ayer et al. 1955), ends included."""
    if not hits.any():
        return np.array([0.0, 1.0]), np.array([0.0, 1.0])
    blocks: list[list[float]] = []  # hits, rows, first place, last place
    for first, last in zip(*_runs(hits, rows), strict=True):
        inside = slice(first, last + 1)
        blocks.append([hits[inside].sum(), rows[inside].sum(), first, last])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            h, n, _, end = blocks.pop()
            blocks[-1] = [blocks[-1][0] + h, blocks[-1][1] + n, blocks[-1][2], end]
    knots = scores[[int(place) for block in blocks for place in block[2:]]]
    heights = np.repeat([h / n for h, n, _, _ in blocks], 2)
    knots = np.concatenate([[0.0], knots, [1.0]])
    heights = np.concatenate([heights[:1], heights, heights[-1:]])
    n = rows.sum()
    return knots, (n * heights + knots) / (n + 1)


def _venn_abers_curve(scores: Floats, hits: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Knots and heights of ``p1 / (1 − p0 + p1)``, ends included.

    The isotonic value at a place is ``max over starts of min over ends`` of the mean between
    (Robertson, Wright & Dykstra 1988, section 1.4); only ends of runs, and the place itself, can
    be the extreme ones.
    """
    first, last = _runs(hits, rows)
    h, n = np.concatenate([[0.0], hits.cumsum()]), np.concatenate([[0.0], rows.cumsum()])
    places = _telling(first, last)
    heights = []
    for place in places:
        starts = np.append(first[first < place], place)[:, None]
        ends = np.append(last[last > place], place)[None, :] + 1
        hit, row = h[ends] - h[starts], n[ends] - n[starts] + 1
        p0, p1 = ((hit + added) / row for added in (0, 1))
        low, high = p0.min(axis=1).max(), p1.min(axis=1).max()
        heights.append(high / (1 - low + high))
    told = np.array([heights[0], *heights, heights[-1]])
    return np.concatenate([[0.0], scores[places], [1.0]]), told


def _telling(first: Integers, last: Integers) -> Integers:
    """Places where the curve is computed: both ends of each run, and ever further from them."""
    found = []
    for start, end in zip(first.tolist(), last.tolist(), strict=True):
        found += [start, end]
        step = 1
        while 2 * step < end - start:
            found += [start + step, end - step]
            step *= 2
    places = np.unique(np.array(found, dtype=np.int64))
    if len(places) > _MOST_KNOTS:
        places = places[np.linspace(0, len(places) - 1, _MOST_KNOTS).round().astype(np.int64)]
    return places


def _polyline(knots: Floats, heights: Floats) -> Curve:
    """The same curve with few digits, and without knots that tell nothing."""
    y = np.maximum.accumulate(np.clip(heights, 0.0, 1.0))
    pairs: list[tuple[float, float]] = []
    for place, height in zip(_plain(knots), _plain(y), strict=True):
        if pairs and place <= pairs[-1][0]:
            continue
        if len(pairs) > 1 and pairs[-1][1] == pairs[-2][1] == height:
            pairs.pop()
        pairs.append((place, height))
    x_told, y_told = zip(*pairs, strict=True)
    return x_told, y_told


def _plain(values: Floats) -> tuple[float, ...]:
    """The values with nine significant digits."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
