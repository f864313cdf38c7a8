"""Sample ratio: whether customers were shared out as stated, checked at every look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding, Status
from payoff.learn.experiments.tally import Array

LEVEL = 0.01
"""How seldom a true share may be suspected, over all looks together."""

_CONCENTRATION = 100.0
_TITLE = "Customers are shared out as stated"


def sample_ratio_p(
    treated: NDArray[np.bool_], stage: NDArray[np.integer[Any]], shares: Sequence[float] | Array
) -> float:
    """How likely so uneven a sharing out is by chance, at any look so far.

    Customers count once, in the stage in which they came first: only then their arm was drawn. The
    probability that a Dirichlet prior around the stated shares foretold the arms, customer by
    customer, is divided by that of the stated shares themselves; this ratio is a martingale where
    they are true, and by Ville's inequality exceeds ``1/α`` ever with a probability of at most α
    (Lindon and Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS, theorem
    3.1). Stages are independent, so that their ratios multiply.

    Args:
        treated: Arm of each customer, ``(n_customers,)``, in the order in which they came.
        stage: The stage of each, ``(n_customers,)``, from 0.
        shares: Stated share of the treatment in each stage, ``(n_stages,)``, from 0 to 1.

    Returns:
        A p-value valid at every look; 1 where nothing speaks against the shares.

    Example:
        >>> even = np.arange(2000) % 2 == 0
        >>> stage = np.zeros(2000, int)
        >>> sample_ratio_p(even, stage, [0.5]), sample_ratio_p(even, stage, [0.4]) < 1e-6
        (1.0, True)
    """
    share = np.asarray(shares, dtype=np.float64)[stage]
    steps = np.zeros(len(treated))
    for number, stated in enumerate(shares):
        rows = stage == number
        if not rows.any():
            continue
        arm = treated[rows].astype(np.float64)
        before = np.arange(len(arm))
        foretold = (_CONCENTRATION * stated + np.cumsum(arm) - arm) / (_CONCENTRATION + before)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(arm == 1.0, foretold / stated, (1.0 - foretold) / (1.0 - stated))
            steps[rows] = np.log(ratio)
    impossible = (treated & (share <= 0.0)) | (~treated & (share >= 1.0))
    if impossible.any():
        return 0.0
    largest = float(np.cumsum(steps).max(initial=0.0))
    return float(np.exp(-largest))


def sample_ratio_finding(
    treated: NDArray[np.bool_], stage: NDArray[np.integer[Any]], shares: Sequence[float]
) -> Finding:
    """The check as a finding (PF740): a failed one means that no figure can be trusted.

    Example:
        >>> sample_ratio_finding(np.ones(200, bool), np.zeros(200, int), [0.5]).status.value
        'failed'
    """
    if not len(treated):
        return Finding("PF740", _TITLE, Status.NOT_CHECKED, "no customer has come yet")
    p = sample_ratio_p(treated, stage, shares)
    stated = float(np.asarray(shares, dtype=np.float64)[stage].mean())
    seen = f"{int(treated.sum())} of {len(treated)} customers are treated, {stated:.1%} were stated"
    if p >= LEVEL:
        return Finding("PF740", _TITLE, Status.PASSED, seen)
    return Finding(
        "PF740",
        _TITLE,
        Status.FAILED,
        f"{seen}; by chance this happens in {p:.1g} of all experiments",
        mend="Look for requests that fail, are filtered or are retried in one arm only.",
        n_affected=len(treated),
    )
