"""Bandit: sharing customers out by which arm is likely to earn more, and what that costs."""

from __future__ import annotations

import math
from statistics import NormalDist

from payoff.learn.experiments.confidence_sequence import Interval

FLOOR = 0.05
"""Each arm keeps at least this share: an arm that nobody sees can never be compared again."""

_STEP = 0.05


def allocation(gain: float, standard_error: float, *, floor: float = FLOOR) -> float:
    """The treatment's share by Thompson's rule: the probability that it is the better one.

    The gain's posterior is normal, with a flat prior (Thompson 1933, Biometrika 25; Chapelle and Li
    2011, NeurIPS). The share is changed at a look and rounded to steps of 0.05, so that customers
    change arms seldom; each stage is compared within itself, which keeps the interval right though
    shares follow what was seen (Zhang, Janson and Murphy 2020, "Inference for batched bandits",
    NeurIPS).

    Args:
        gain: Treatment less control, a request.
        standard_error: Of it; where it is infinite nothing is known, and the share is a half.
        floor: Least share of each arm.

    Example:
        >>> allocation(0.0, 1.0), allocation(0.5, 1.0), allocation(-9.0, 1.0)
        (0.5, 0.7, 0.05)
    """
    if not math.isfinite(standard_error):
        return 0.5
    if standard_error <= 0.0:
        likely = 0.5 if gain == 0.0 else float(gain > 0.0)
    else:
        likely = NormalDist().cdf(gain / standard_error)
    return round(min(1.0 - floor, max(floor, round(likely / _STEP) * _STEP)), 2)


def regret_of(gain: Interval, n_control: float, n_treatment: float) -> Interval:
    """What was not earned since some requests went to the worse arm.

    Args:
        gain: Treatment less control, a request, with its interval.
        n_control: Requests that the control decided on.
        n_treatment: Requests that the treatment decided on.

    Returns:
        Money, 0 or more; the upper end holds for both ends of the gain's interval.

    Example:
        >>> regret_of(Interval(0.5, -0.1, 1.1), 100, 900)
        Interval(estimate=50.0, low=0.0, high=110.00000000000001)
    """

    def lost(one: float) -> float:
        n = n_control if one > 0 else n_treatment
        return abs(one) * n if n else 0.0

    ends = sorted((lost(gain.low), lost(gain.high)))
    sure = gain.low > 0 or gain.high < 0
    return Interval(lost(gain.estimate), ends[0] if sure else 0.0, ends[1])
