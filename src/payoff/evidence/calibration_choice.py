"""CalibrationChoice: which calibration is taken for a model, and what spoke for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.calibration import Calibration
from payoff.evidence.calibration import (
    classwise_ece,
    cross_fitted,
    fit_temperature,
    shifted_rows,
)
from payoff.evidence.calibration_methods import CALIBRATIONS
from payoff.evidence.quality import Floats, checked, log_losses

_ENOUGH_ROWS = 200
_CLEAR = 2.0  # standard errors of a paired difference
_PLAIN = "temperature"
UNCALIBRATED = "none"
"""What the figures of the model's own probabilities go by."""


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """How well one method does on rows that it was not fitted on.

    Args:
        method: ``"none"`` for the model's own probabilities.
        log_loss: In nats, lower is better.
        brier: Squared distance from the truth, summed over labels.
        classwise_ece: Mean calibration error over labels.
    """

    method: str
    log_loss: float
    brier: float
    classwise_ece: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Which method was taken, and what it was compared with.

    Args:
        method: The one taken.
        why: What decided, in one sentence.
        compared: Figures of every method that was tried, and of none.
    """

    method: str
    why: str
    compared: tuple[CalibrationFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """Method, reason and figures as plain values."""
        return asdict(self) | {"compared": [figures.as_dict() for figures in self.compared]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CalibrationReport:
        """The inverse of `as_dict`."""
        compared = tuple(CalibrationFigures(**figures) for figures in content["compared"])
        return cls(content["method"], content["why"], compared)


@dataclass(frozen=True, eq=False)
class CalibrationChoice:
    """The calibration that is taken.

    Args:
        calibration: Fitted on all rows, for rows that are none of these.
        probabilities: The rows as its method calibrates them, cross-fitted, ``(n, k)``.
        report: What it was compared with.
    """

    calibration: Calibration
    probabilities: Floats = field(repr=False)
    report: CalibrationReport


def choose_calibration(
    logits: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    folds: int = 2,
    seed: int = 0,
    shift: npt.ArrayLike | None = None,
) -> CalibrationChoice:
    """The calibration of the lowest log loss on rows that it was not fitted on.

    Every method is cross-fitted on the same folds. Temperature is taken unless another one's loss
    is lower by more than two standard errors of the paired difference: it has one number to learn,
    keeps the order of the labels, and a difference within chance is none. With fewer than 200 rows
    nothing else is tried.

    The rows that compare the methods are the rows that ``probabilities`` are of, so that the
    winner's figures flatter it by what choosing among four can; test rows, which took no part, say
    how it really does.

    Args:
        logits: ``(n, k)``, from rows that the model was not trained on.
        truth: ``(n,)``.
        folds: Parts of the cross-fitting.
        seed: Decides who is in which part.
        shift: Where requests to come have another mix, what a policy multiplies each label's
            probability by, ``(k,)``; see `fit_temperature`. All figures are then of what comes
            out behind it, for such requests; ``probabilities`` are of these rows, before it.

    Raises:
        DataError: PF106 where there are fewer rows than folds.
        AdaptError: PF402 where a logit is not finite.

    Example:
        >>> choice = choose_calibration([[2.0, 0.0], [0.0, 2.0]] * 6, [0, 1] * 5 + [1, 0])
        >>> choice.calibration.method, choice.report.why
        ('temperature', 'temperature: 12 rows are too few to fit anything else')
    """
    z, y = checked(logits, truth)
    methods = CALIBRATIONS if len(y) >= _ENOUGH_ROWS else {_PLAIN: fit_temperature}
    behind, weights = shifted_rows(shift, y, z.shape[1])
    fitted = {
        name: cross_fitted(z, y, folds=folds, seed=seed, fit=partial(fit, shift=shift))
        for name, fit in methods.items()
    }
    shown = {UNCALIBRATED: Calibration().apply(z), **fitted}
    shifted = {name: p * behind for name, p in shown.items()}
    shifted = {name: p / p.sum(axis=1, keepdims=True) for name, p in shifted.items()}
    losses = {name: weights * log_losses(p, y) for name, p in shifted.items()}
    method = _best({name: losses[name] for name in methods})
    compared = tuple(_figures(name, p, y, losses[name], weights) for name, p in shifted.items())
    losses.pop(UNCALIBRATED)
    return CalibrationChoice(
        methods[method](z, y, shift=shift),
        fitted[method],
        CalibrationReport(method, _why(method, losses), compared),
    )


def _figures(
    name: str, p: Floats, y: npt.NDArray[np.int64], losses: Floats, weights: Floats
) -> CalibrationFigures:
    distances = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
    brier = float((weights * distances).mean())
    error = classwise_ece(p, y, weights=weights)
    return CalibrationFigures(name, float(losses.mean()), brier, error)


def _best(losses: Mapping[str, Floats]) -> str:
    """The lowest mean among those that are clearly below the plain one, or the plain one."""
    clear = [name for name, loss in losses.items() if _gain(losses[_PLAIN], loss)[2]]
    return min(clear, key=lambda name: float(losses[name].mean()), default=_PLAIN)


def _gain(plain: Floats, loss: Floats) -> tuple[float, float, bool]:
    """Mean gain on the plain one, its standard error, and whether it is clear."""
    difference = plain - loss
    mean, error = float(difference.mean()), float(difference.std()) / math.sqrt(len(difference))
    return mean, error, mean > _CLEAR * error


def _why(method: str, losses: Mapping[str, Floats]) -> str:
    n = len(losses[_PLAIN])
    if len(losses) == 1:
        return f"{_PLAIN}: {n} rows are too few to fit anything else"
    if method == _PLAIN:
        others = [name for name in losses if name != _PLAIN]
        near = min(others, key=lambda name: float(losses[name].mean()))
        gain, error, _ = _gain(losses[_PLAIN], losses[near])
        return f"{_PLAIN}: {near} changes the log loss by {-gain:+.4f} ± {error:.4f} on {n} rows"
    gain, error, _ = _gain(losses[_PLAIN], losses[method])
    return f"{method}: its log loss is lower by {gain:.4f} ± {error:.4f} on {n} rows"
