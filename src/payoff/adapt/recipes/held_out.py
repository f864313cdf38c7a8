"""How well a head on some vectors does for rows that it was not fitted on, fold by fold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.linear import LinearHead, log_loss
from payoff.evidence.calibration import fit_temperature

Fit = Callable[[NDArray[np.int64]], Callable[[NDArray[np.int64]], NDArray[np.float32]]]
"""From the rows to fit on to what gives the logits of other rows, ``(n, n_labels)``."""

N_FOLDS = 3


def held_out_loss(fit: Fit, targets: NDArray[np.int64], *, seed: int) -> float:
    """Log loss a row of calibrated answers to rows of other folds.

    One temperature is fitted on all of them, so that what is compared is not how bold heads are.

    Args:
        fit: Makes a model from some rows.
        targets: Class of each row, ``(n,)``.
        seed: Which rows go together.

    Returns:
        The loss; not a number where no class has two rows, so that nothing can be judged.

    Example:
        >>> import math
        >>> truth = np.array([0, 1] * 30)
        >>> def knows(rows):
        ...     return lambda asked: 9 * np.eye(2, dtype=np.float32)[truth[asked]]
        >>> def knows_nothing(rows):
        ...     return lambda asked: np.zeros((len(asked), 2), np.float32)
        >>> held_out_loss(knows, truth, seed=0) < 0.01
        True
        >>> round(held_out_loss(knows_nothing, truth, seed=0), 3)
        0.693
        >>> math.isnan(held_out_loss(knows, np.array([0, 1]), seed=0))
        True
    """
    fold = folds(targets, N_FOLDS, seed=seed)
    apart = [np.flatnonzero(fold == number) for number in range(N_FOLDS)]
    apart = [rows for rows in apart if len(rows)]
    if not apart:
        return float("nan")
    every = np.arange(len(targets))
    logits = np.concatenate([fit(np.setdiff1d(every, rows))(rows) for rows in apart])
    truth = targets[np.concatenate(apart)]
    temperature = fit_temperature(logits, truth).temperature
    return log_loss(logits.astype(np.float64) / temperature, truth) / len(truth)


def on_vectors(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    fit: Callable[[NDArray[np.float32], NDArray[np.int64]], LinearHead],
) -> Fit:
    """Heads on fixed vectors as `held_out_loss` takes them."""

    def fitted(rows: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
        head = fit(vectors[rows], targets[rows])
        return lambda asked: head(vectors[asked])

    return fitted
