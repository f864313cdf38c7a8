"""Quality where a text has any number of labels, and where to cut each label's probability."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import DataError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SMALLEST = 1e-15
_FEWEST_POSITIVES = 2  # of a label: with fewer rows a threshold is that row's own probability


@dataclass(frozen=True, slots=True)
class MultiLabelQuality:
    """Figures over one set of rows; a cell is one label of one row.

    Args:
        n: Rows.
        n_labels: Labels.
        micro_f1: F1 over all cells at once; 1 where nothing was there and nothing was said.
        macro_f1: Mean F1 over the labels that occur among truths or predictions; None where
            none does.
        sample_f1: Mean F1 of a row's labels; 1 for a row that has none and was given none.
        exact_match: Share of rows whose labels are all right, and no other was given.
        hamming_loss: Share of cells that are wrong.
        mean_average_precision: Mean over the labels that occur of the area under the curve of
            precision over recall, as a sum of steps; needs no threshold. None where none occurs.
        log_loss: Mean over cells of −ln p(truth), with p no smaller than 1e-15.
    """

    n: int
    n_labels: int
    micro_f1: float
    macro_f1: float | None
    sample_f1: float
    exact_match: float
    hamming_loss: float
    mean_average_precision: float | None
    log_loss: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_multi_label(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, said: npt.ArrayLike
) -> MultiLabelQuality:
    """Measure what was said of each label against the truth.

    Args:
        probabilities: Of each label by itself, ``(n, k)``; rows need not sum to 1.
        truth: 1 where the row has the label, else 0, ``(n, k)``.
        said: 1 where the row was given the label, else 0, ``(n, k)``.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together.

    Example:
        >>> quality = measure_multi_label([[0.9, 0.2], [0.8, 0.6]], [[1, 0], [1, 0]],
        ...                               [[1, 0], [1, 1]])
        >>> round(quality.micro_f1, 3), quality.exact_match, quality.hamming_loss
        (0.8, 0.5, 0.25)
    """
    p, y = checked_cells(probabilities, truth)
    given = np.asarray(said).astype(bool)
    if given.shape != y.shape:
        raise ValueError(f"decisions {given.shape} do not fit truths {y.shape}")
    right = y & given
    by_label = _f1(right.sum(axis=0), y.sum(axis=0) + given.sum(axis=0))
    seen = y.any(axis=0) | given.any(axis=0)
    areas = [average_precision(p[:, k], y[:, k]) for k in range(y.shape[1]) if y[:, k].any()]
    of_truth = np.clip(np.where(y, p, 1 - p), _SMALLEST, 1.0)
    return MultiLabelQuality(
        n=len(y),
        n_labels=y.shape[1],
        micro_f1=float(_f1(right.sum(), y.sum() + given.sum())),
        macro_f1=float(by_label[seen].mean()) if seen.any() else None,
        sample_f1=float(_f1(right.sum(axis=1), y.sum(axis=1) + given.sum(axis=1)).mean()),
        exact_match=float((y == given).all(axis=1).mean()),
        hamming_loss=float((y != given).mean()),
        mean_average_precision=float(np.mean(areas)) if areas else None,
        log_loss=float(-np.log(of_truth).mean()),
    )


def average_precision(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Sum over thresholds of precision times the recall won there; ties are one threshold.

    Args:
        scores: ``(n,)``.
        truth: 1 or 0, ``(n,)``; at least one is 1.

    Example:
        >>> round(average_precision([0.9, 0.8, 0.7], [1, 0, 1]), 4)
        0.8333
    """
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(truth).astype(bool)
    order = np.argsort(-s, kind="stable")
    found = np.cumsum(y[order])
    last = np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)  # of each run of ties
    precision = found[last] / (last + 1)
    won = np.diff(found[last] / found[-1], prepend=0.0)
    return float((precision * won).sum())


def best_thresholds(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> Floats:
    """For each label the cut that gives the highest F1 on these rows: ``(k,)``.

    Cuts are tried half-way between neighbouring probabilities; of equally good ones the nearest
    to 0.5 is taken. A label that fewer than two rows have keeps 0.5.

    Args:
        probabilities: ``(n, k)``, from rows that the model was not trained on.
        truth: 1 or 0, ``(n, k)``.

    Raises:
        DataError: PF106 where there is no row.

    Example:
        >>> best_thresholds([[0.4], [0.3], [0.1]], [[1], [1], [0]]).round(6).tolist()
        [0.2]
    """
    p, y = checked_cells(probabilities, truth)
    return np.array([_best_threshold(p[:, k], y[:, k]) for k in range(y.shape[1])])


def _best_threshold(p: Floats, y: Bools) -> float:
    if y.sum() < _FEWEST_POSITIVES:
        return 0.5
    order = np.argsort(-p, kind="stable")
    sorted_p = p[order]
    last = np.append(np.flatnonzero(np.diff(sorted_p)), len(p) - 1)
    scores = _f1(np.cumsum(y[order])[last], y.sum() + last + 1)
    below = np.append(sorted_p[last[:-1] + 1], 0.0)  # the next lower probability of each cut
    cuts = (sorted_p[last] + below) / 2
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])


def cross_fitted_labels(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, *, folds: int = 2, seed: int = 0
) -> Bools:
    """Labels said of each row by thresholds that its own truth took no part in: ``(n, k)``.

    Args:
        probabilities: ``(n, k)``.
        truth: 1 or 0, ``(n, k)``.
        folds: Parts; each is cut by the thresholds of the others. Labels are spread over them,
            the rarest of each row first.
        seed: Decides who is in which part.

    Raises:
        DataError: PF106 where there are fewer rows than folds.

    Example:
        >>> p = [[0.4], [0.4], [0.4], [0.4], [0.1], [0.1]]
        >>> cross_fitted_labels(p, [[1], [1], [1], [1], [0], [0]]).ravel().tolist()
        [True, True, True, True, False, False]
    """
    p, y = checked_cells(probabilities, truth)
    if not 2 <= folds <= len(y):
        raise DataError(
            "PF106", "thresholds", f"{len(y)} rows for {folds} folds", expected="a row a fold"
        )
    shuffled = np.random.default_rng(seed).permutation(len(y))
    order = shuffled[np.argsort(rarest_label(y)[shuffled], kind="stable")]
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % folds
    said = np.empty_like(y)
    for number in range(folds):
        own = fold == number
        said[own] = p[own] >= best_thresholds(p[~own], y[~own])
    return said


def rarest_label(truth: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The label of each row that fewest rows have, −1 for a row without any: ``(n,)``.

    Example:
        >>> rarest_label([[1, 0], [1, 1], [0, 0]]).tolist()
        [0, 1, -1]
    """
    y = np.asarray(truth).astype(bool)
    counts = np.where(y, y.sum(axis=0), len(y) + 1)
    return np.where(y.any(axis=1), counts.argmin(axis=1), -1).astype(np.int64)


def checked_cells(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Bools]:
    """Probabilities and truths ``(n, k)`` that fit together, as arrays.

    Raises:
        DataError: PF106 where there is no row.
        ValueError: Where shapes do not fit together.

    Example:
        >>> checked_cells([[0.2, 0.9]], [[0, 1]])[1].tolist()
        [[False, True]]
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(truth).astype(bool)
    if not len(y):
        raise DataError("PF106", "measurement", "there is no row", expected="at least one")
    if p.ndim != 2 or p.shape != y.shape:
        raise ValueError(f"probabilities {p.shape} do not fit truths {y.shape}")
    return p, y


def _f1(right: Any, true_and_said: Any) -> Any:
    """2 · right / (true + said); 1 where there was nothing to say and nothing was said."""
    return np.where(true_and_said > 0, 2 * right / np.maximum(true_and_said, 1), 1.0)
