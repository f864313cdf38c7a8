"""Late labels: what a request counts for before anybody has told how it ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.learn.experiments.tally import Array


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What each request counts for.

    Args:
        worth: Money, ``(n,)``.
        known: Share of the requests whose outcome is known: control's, treatment's.
        uncorrected: Share of the requests that count by their model's word alone, since nobody has
            told how any of their kind ended.
    """

    worth: Array
    known: tuple[float, float]
    uncorrected: float


def counted_worth(
    expected: Array,
    realised: Array,
    treated: NDArray[np.bool_],
    handed_over: NDArray[np.bool_],
) -> Counted:
    """Expected worth, corrected by what is known of requests of the same kind.

    A request whose outcome is not known counts with what its model expected, corrected by how far
    the model was wrong where the outcome is known; one whose outcome is known stands for those
    that are not: ``m + b + (y − m − b) / π`` with ``b`` the mean of ``y − m`` over those known of
    its kind and ``π`` their share. A kind is an arm, and whether the model acted or handed over.

    This is doubly robust (Robins, Rotnitzky and Zhao 1994, JASA 89(427); as "prediction-powered"
    Angelopoulos et al. 2023, Science 382): the mean is right where outcomes become known
    regardless of how good they are, *however wrong the model's word is*, so that a boastful
    treatment gains nothing; and the better its word, the smaller the noise. Waiting until every
    outcome is known would be right too, but most of them never are.

    It cannot know of outcomes that are told only because they are bad, or bad ones that are told
    sooner. For the latter an experiment states ``maturity_days``: younger requests are left out.

    Args:
        expected: What the model said the action is worth, cost taken off, ``(n,)``.
        realised: What it was worth, ``(n,)``; NaN where nobody has told yet.
        treated: Whether the treatment decided, ``(n,)``.
        handed_over: Whether the request went to a person, ``(n,)``.

    Example:
        >>> no = np.zeros(4, bool)
        >>> done = np.array([3.0, -8.0, np.nan, np.nan])
        >>> counted = counted_worth(np.full(4, 3.0), done, no, no)
        >>> counted.worth.tolist(), float(counted.worth.mean())
        ([8.5, -13.5, -2.5, -2.5], -2.5)
    """
    worth = expected.astype(np.float64, copy=True)
    known = np.isfinite(realised)
    kind = treated.astype(np.int64) * 2 + handed_over
    n = np.bincount(kind, minlength=4)
    n_known = np.bincount(kind[known], minlength=4)
    off = np.bincount(kind[known], (realised - expected)[known], 4) / np.maximum(n_known, 1)
    worth += off[kind]
    weight = (n / np.maximum(n_known, 1))[kind[known]]
    worth[known] += weight * (realised[known] - worth[known])
    shares = [
        float(known[treated == arm].mean()) if (treated == arm).any() else 0.0
        for arm in (False, True)
    ]
    alone = float(n[n_known == 0].sum() / len(worth)) if len(worth) else 0.0
    return Counted(worth, (shares[0], shares[1]), alone)
