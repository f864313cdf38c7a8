"""LabelMix: which share of the requests has which true label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError, PayoffError, did_you_mean, raise_all

Mix = Mapping[str, float] | Sequence[float] | NDArray[np.float64]


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
            EconomicsError("PF612", where, f"label '{label}' is missing")
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
