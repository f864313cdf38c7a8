"""LabelMix: which share of the requests has which true label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError, PayoffError, did_you_mean, raise_all

Mix = Mapping[str, float] | Sequence[float] | NDArray[np.float64]

_PRIOR_ROWS = 1.0
_MOST_ROUNDS, _STILL = 10_000, 1e-7


def label_mix(mix: Mix, labels: Sequence[str], where: str) -> NDArray[np.float64]:
    """Shares of the labels in their order, from shares or from counts.

    Args:
        mix: Share or count by label, or in the order of ``labels``.
        labels: The ``k`` labels.
        where: What the mix is called in messages, such as ``"expected mix"``.

    Returns:
        Shares, shape ``(k,)``, every one above 0, summing to 1.

    Raises:
        EconomicsError: PF612 for each label that is missing, unknown, or not above 0.

    Example:
        >>> label_mix({"refund": 30, "billing": 90}, ("billing", "refund"), "expected mix")
        array([0.75, 0.25])
    """
    problems: list[PayoffError] = []
    if isinstance(mix, Mapping):
        for label in mix:
            if label not in labels:
                found = f"label '{label}' is unknown"
                near = did_you_mean(label, labels)
                problems.append(EconomicsError("PF612", where, found, mend=near))
        problems += [
            EconomicsError(
                "PF612",
                where,
                f"label '{label}' is missing",
                mend="Give every label its share; a small one where it hardly ever comes.",
            )
            for label in labels
            if label not in mix
        ]
        raise_all(problems)
        shares = np.array([mix[label] for label in labels], dtype=np.float64)
    else:
        shares = np.asarray(mix, dtype=np.float64)
    if shares.shape != (len(labels),):
        raise EconomicsError(
            "PF612", where, f"it has the shape {shares.shape}", expected=f"({len(labels)},)"
        )
    for label, share in zip(labels, shares, strict=True):
        if not (np.isfinite(share) and share > 0):
            problems.append(
                EconomicsError(
                    "PF612",
                    where,
                    f"the share of '{label}' is {share:g}",
                    expected="a number above 0",
                    mend="Give a small share to a label that hardly ever comes.",
                )
            )
    raise_all(problems)
    normalised: NDArray[np.float64] = shares / shares.sum()
    return normalised


def estimated_mix(
    probabilities: NDArray[np.floating[Any]], labels: Sequence[str], *, training_mix: Mix
) -> NDArray[np.float64]:
    """The mix of labels among requests whose labels nobody knows.

    Each request counts for every label as far as it is likely to have it under the mix so far, and
    the counts give the next mix, until it stands still (Saerens, Latinne and Decaestecker 2002,
    "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation
    14(1), eq. 2.9: expectation maximisation). It holds where only the mix has changed and what
    requests of a label look like has not, and as far as the probabilities are calibrated. The
    training mix counts as one request more, so that no share is 0.

    Args:
        probabilities: Calibrated under the training mix, ``(n, k)``.
        labels: The ``k`` labels.
        training_mix: Shares (or counts) in the data that the probabilities were fitted on.

    Returns:
        Shares, ``(k,)``, every one above 0, summing to 1: an expected mix for `Policy`.

    Raises:
        EconomicsError: PF612 where the training mix is wrong, or there is no request.

    Example:
        >>> sure = np.array([[0.99, 0.01]] * 90 + [[0.01, 0.99]] * 10)
        >>> estimated_mix(sure, ("billing", "refund"), training_mix=[1, 1]).round(2)
        array([0.9, 0.1])
    """
    trained = label_mix(training_mix, labels, "training mix")
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != len(labels) or len(p) == 0:
        raise EconomicsError(
            "PF612",
            "label mix",
            f"probabilities of the shape {p.shape}",
            expected=f"at least one row of {len(labels)}",
        )
    likelihood = p / trained
    mix = trained
    for _ in range(_MOST_ROUNDS):
        weighed = likelihood * mix
        counts = (weighed / weighed.sum(axis=1, keepdims=True)).sum(axis=0)
        found = (counts + _PRIOR_ROWS * trained) / (len(p) + _PRIOR_ROWS)
        moved = float(np.abs(found - mix).sum())
        mix = found
        if moved < _STILL:
            break
    return mix
